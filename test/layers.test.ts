import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('..', import.meta.url).pathname;
const FILES = globSync('{machines,src}/**/*.ts', { cwd: ROOT });

/** Which folders a folder may import from, beside itself. Data flows one way: this is the table of it. */
const MAY: Record<string, readonly string[]> = {
  machines: [],
  'src/engine': ['machines', 'src/journal'],
  'src/journal': ['src/engine', 'src/catalog'],
  'src/catalog': ['src/engine', 'src/journal'],
  'src/tools': [],
  'src/storages': ['src/tools', 'src/engine', 'src/catalog', 'src/toolstacks'],
  'src/toolstacks': ['src/tools', 'src/engine', 'src/catalog'],
  'src/steps': ['machines', 'src/engine', 'src/catalog', 'src/storages', 'src/toolstacks'],
  'src/plan': [
    'machines',
    'src/engine',
    'src/catalog',
    'src/steps',
    'src/storages',
    'src/toolstacks',
  ],
  'src/doctor': [
    'src/engine',
    'src/journal',
    'src/catalog',
    'src/plan',
    'src/storages',
    'src/toolstacks',
  ],
  'src/diagrams': ['machines'],
  'src/lab': ['src/tools', 'src/engine'],
};
/** Packages that only one folder may use. */
const OWNED: Record<string, readonly string[]> = {
  execa: ['src/tools'],
  'node:child_process': ['src/tools'],
  'node:net': ['src/tools'],
  'node:sqlite': ['src/journal'],
  '@hpcc-js/wasm-graphviz': ['src/diagrams'],
  xstate: ['machines', 'src/engine', 'src/diagrams'],
  commander: ['src/cli'],
  pino: ['src/cli'],
};

const layerOf = (file: string): string =>
  file.startsWith('machines/') ? 'machines' : file.split('/').slice(0, 2).join('/');

const importsOf = (file: string): string[] =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(
    match => match[1] as string,
  );

const targetOf = (file: string, specifier: string): string | undefined =>
  specifier.startsWith('.') ? relative(ROOT, join(ROOT, dirname(file), specifier)) : undefined;

describe('arrows between the layers point one way', () => {
  test.each(Object.keys(MAY))('%s imports only what it may', layer => {
    const wrong = FILES.filter(file => layerOf(file) === layer).flatMap(file =>
      importsOf(file)
        .map(specifier => targetOf(file, specifier))
        .filter(target => target !== undefined)
        .filter(target => ![layer, ...(MAY[layer] ?? [])].includes(layerOf(target)))
        .map(target => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test.each(Object.keys(OWNED))('%s is used in its own folders alone', name => {
    const wrong = FILES.filter(
      file =>
        importsOf(file).some(specifier => specifier === name || specifier.startsWith(`${name}/`)) &&
        !OWNED[name]?.includes(layerOf(file)),
    );
    expect(wrong).toEqual([]);
  });

  test('the check sees imports at all', () => {
    expect(importsOf('src/engine/decide.ts')).toContain('xstate');
    expect(FILES.length).toBeGreaterThan(50);
  });
});

describe('time and chance come in at the door', () => {
  test.each(['machines', 'src/engine', 'src/steps', 'src/plan', 'src/doctor'])(
    '%s asks no clock itself',
    layer => {
      const wrong = FILES.filter(file => layerOf(file) === layer)
        .filter(file => file !== 'src/engine/system-clock.ts')
        .filter(file =>
          /Date\.now|Math\.random|setTimeout|process\.env|new Date\(\)/.test(
            readFileSync(join(ROOT, file), 'utf8'),
          ),
        );
      expect(wrong).toEqual([]);
    },
  );
});

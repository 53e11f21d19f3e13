import { resolve } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inOrder, locatorsFor, pathsOf } from '../../../src/tools/vhd/parent-locator.ts';

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter(text => !/[/\\\0]/.test(text) && text.isWellFormed());
const path = fc.array(name, { minLength: 1, maxLength: 5 }).map(parts => resolve('/', ...parts));

test('a parent is found again by both of its names, whatever it is called', () => {
  fc.assert(
    fc.property(path, path, (child, parent) => {
      fc.pre(parent !== '/' && child !== '/' && !/^\/[A-Za-z]:\//.test(parent));
      for (const locator of locatorsFor(child, parent)) {
        expect(pathsOf(child, locator)).toEqual([parent]);
      }
    }),
  );
});

test('images that have moved together find each other by the relative name', () => {
  const [near] = inOrder(locatorsFor('/old/child.vhd', '/old/base/parent.vhd'));
  expect(near?.platform).toBe('W2ru');
  expect(near?.bytes.toString('utf16le')).toBe('.\\base\\parent.vhd');
  expect(pathsOf('/new/child.vhd', near!)).toEqual(['/new/base/parent.vhd']);
});

test('a name that a VHD would take for another is refused', () => {
  expect(() => locatorsFor('/a/child.vhd', '/a/b\\c.vhd')).toThrow('backslash');
});

test('what Windows, a Mac and vhd-util write is understood; what is not known means nothing', () => {
  const wide = (text: string) => Buffer.from(text, 'utf16le');
  const meant = (platform: string, bytes: Buffer) => pathsOf('/vm/child.vhd', { platform, bytes });
  expect(meant('W2ru', wide('.\\p.vhd\0'))).toEqual(['/vm/p.vhd']);
  expect(meant('W2ku', wide('C:\\vm\\p.vhd'))).toEqual(['/vm/p.vhd']);
  expect(meant('MacX', Buffer.from('file:///vm/a%20b.vhd'))).toEqual([
    '/vm/a%20b.vhd',
    '/vm/a b.vhd',
  ]);
  expect(meant('MacX', Buffer.from('file://localhost/vm/p.vhd'))).toEqual(['/vm/p.vhd']);
  expect(meant('Wi2r', wide('p.vhd'))).toEqual([]);
  expect(meant('W2ru', Buffer.alloc(0))).toEqual([]);
});

import { join } from 'node:path';

/** What lies in a lab's folder; absolute paths. */
export type LabFiles = {
  readonly folder: string;
  readonly domainFile: string;
  /** What the kernel and the workload print. */
  readonly consoleLog: string;
  /** Answers the workload's commands. */
  readonly serialSocket: string;
  readonly agentSocket: string;
  readonly monitorSocket: string;
};

/** The paths of the lab in a folder. */
export function labFiles(folder: string): LabFiles {
  return {
    folder,
    domainFile: join(folder, 'lab.yaml'),
    consoleLog: join(folder, 'console.log'),
    serialSocket: join(folder, 'serial.sock'),
    agentSocket: join(folder, 'agent.sock'),
    monitorSocket: join(folder, 'qmp.sock'),
  };
}

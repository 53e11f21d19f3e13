/** What a lab host is made of; all paths absolute. */
export interface HostParts {
  readonly kernel: string;
  readonly initramfs: string;
  /** The folder that the guest and this machine share. */
  readonly share: string;
  readonly console: string;
  /** Raw images, in the guest vda, vdb and so on. */
  readonly disks: readonly string[];
  readonly memoryMb: number;
  /** Have the kernel confine programs by AppArmor's profiles, of which none is loaded yet. */
  readonly appArmor?: boolean | undefined;
}

/**
 * QEMU's command line for a lab host, under software emulation. QEMU ends with the thread that started
 * it (setpriv of util-linux), whatever becomes of that.
 *
 * Measured on two busy cores, in seconds of their time: the boot takes 6.8, with two processors 10.2, with
 * a kernel that unpacks itself 15.7; a minute of commands takes half of what two processors do. Nehalem is
 * a third faster than `max`; q35 and pc do not differ.
 */
export function hostArguments(parts: HostParts): string[] {
  const { kernel, initramfs, share, console, disks, memoryMb, appArmor = false } = parts;
  const commandLine = [
    'console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off tsc=unstable nokaslr cryptomgr.notests audit=0',
    appArmor ? 'security=apparmor' : 'apparmor=0',
  ].join(' ');
  return [
    ['setpriv', '--pdeathsig', 'KILL', 'qemu-system-x86_64'],
    ['-accel', 'tcg,thread=multi,tb-size=512', '-machine', 'q35', '-cpu', 'Nehalem'],
    ['-smp', '1', '-m', String(memoryMb), '-nodefaults', '-no-user-config', '-display', 'none'],
    ['-no-reboot', '-nic', 'none', '-serial', `file:${optionValue(console)}`],
    ['-kernel', kernel, '-initrd', initramfs, '-append', commandLine],
    // Several file systems below one root: their inode numbers are kept apart.
    ['-virtfs', 'local,path=/,mount_tag=machine,security_model=none,readonly=on,multidevs=remap'],
    ['-virtfs', `local,path=${optionValue(share)},mount_tag=share,security_model=none`],
    ...disks.map((path, index) => [
      ...['-blockdev', JSON.stringify(blockdev(`disk${index}`, path))],
      ...['-device', `virtio-blk-pci,drive=disk${index}`],
    ]),
  ].flat();
}

/** A disk of one run alone: nothing of it need survive, so nothing waits for this machine's disk. */
const blockdev = (name: string, filename: string) => ({
  'node-name': name,
  driver: 'file',
  filename,
  cache: { 'no-flush': true },
  discard: 'unmap',
});

const optionValue = (text: string) => text.replaceAll(',', ',,');

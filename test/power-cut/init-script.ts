/**
 * The lab host's first process. It mounts the root image, and over it what a running system has; then,
 * as a boot does, it mounts the disk that went through a power cut and runs the packaged unit's
 * command. Behind that it does what it is told on its second serial line: a line of shell each, whose
 * output goes back, and then `= STATUS` on a line of its own.
 *
 * `domsnap_data` (from the kernel's command line) is where the data disk goes: the path under which
 * its content was made. `domsnap_mount` holds more options for it. The home is where the unit says.
 */
export const initScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done

# disk NAME: the device with this serial number.
disk() {
  for block in /sys/block/vd*; do
    [ "$(cat $block/serial)" = $1 ] && echo "/dev/$(basename $block)" && return
  done
  return 1
}
until root=$(disk root); do sleep 0.05; done
mount -t ext4 -o ro $root /new
for folder in proc sys dev; do mount --move /$folder /new/$folder; done
mount -t tmpfs run /new/run
mount -t tmpfs tmp /new/tmp
mkdir -p /new/dev/shm
mount -t tmpfs shm /new/dev/shm
mount --bind /domsnap /new/domsnap
ln -s /proc/self/fd /new/dev/fd
exec chroot /new /bin/busybox sh /domsnap/session
`;

export const sessionScript = `
export PATH=/usr/local/bin:/usr/bin:/bin:/run/busybox HOME=/root NO_COLOR=1
/bin/busybox mkdir /run/busybox
/bin/busybox --install -s /run/busybox
unit=/domsnap/domsnap-recover.service
hostname labhost

disk() {
  for block in /sys/block/vd*; do
    [ "$(cat $block/serial)" = $1 ] && echo "/dev/$(basename $block)" && return
  done
  return 1
}

mount_data() {
  mkdir -p $domsnap_data
  mount -t ext4 -o noauto_da_alloc$domsnap_mount $(disk $1) $domsnap_data &&
    mount --bind $domsnap_data/home /var/lib/domsnap
}

# A process that was just killed closes its files a little after it has gone from the process list.
umount_data() {
  for attempt in $(seq 100); do
    umount /var/lib/domsnap 2>/dev/null
    umount $domsnap_data 2>/dev/null && return 0
    sleep 0.05
  done
  umount $domsnap_data
  ls -l /proc/[0-9]*/fd /proc/[0-9]*/cwd 2>/dev/null | grep -e $domsnap_data -e /var/lib/domsnap
  for pid in /proc/[0-9]*; do echo "$pid: $(tr '\\0' ' ' <$pid/cmdline)"; done | grep -v ': $'
  return 1
}

# What systemd would run: the unit's environment and command line.
run_unit() {
  variables=$(sed -n 's/^Environment=//p' $unit)
  eval "env $variables $(sed -n 's/^ExecStart=//p' $unit)"
}

end_guests() {
  for pid in $(pidof qemu-system-x86_64); do kill -9 $pid; done
  while pidof qemu-system-x86_64 >/dev/null; do sleep 0.05; done
}

stty -F /dev/ttyS1 raw -echo
exec 3<>/dev/ttyS1
boot() {
  disk recovered >/dev/null || return 0
  mount_data recovered && run_unit >/run/recover.log 2>&1
  status=$?
  cat /run/recover.log
  return $status
}
boot >&3 2>&3 </dev/null
echo "
= $?" >&3
while read -r line <&3; do
  eval "$line" >&3 2>&3 </dev/null
  echo "
= $?" >&3
done
`;

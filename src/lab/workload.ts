/**
 * The guest's first process, a script for busybox's shell: it loads the drivers, mounts the file
 * systems, starts the guest agent, and from then on ticks. A tick increments the counter in memory
 * (a variable of this shell), then writes it to the first disk, then to the second, and so on, each
 * time waiting until it is on the disk. So at every instant the disks' counters, in order, never
 * grow, and the last is at most one less than the memory's: that is how a test sees whether memory
 * and disks were captured at one instant.
 *
 * Between ticks it answers commands on the second serial line, a line each, `ID COMMAND ...`; the
 * answer begins with the same ID. `read` reads the disks past the page cache.
 *
 * The kernel passes what it does not know of its command line as environment: `domsnap_disks`
 * (`vda:fs,vdb:raw`) and `domsnap_interval` (seconds between ticks). Under emulation a fork costs
 * 5 to 12 ms, so the tick's path has as few as can be (two a disk would halve its speed).
 *
 * The text holds no dollar-brace, since it is a template literal.
 */
export const workloadScript = String.raw`#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o size=85% ram /ram
for module in /modules/*.ko; do insmod $module; done

IFS=-
read boot </proc/sys/kernel/random/boot_id
set -- $boot
boot=$1
IFS=' '

# The counter's area is the raw disk itself, or a file.
disks= targets=
IFS=,
set -- $domsnap_disks
IFS=:
for pair; do
  set -- $pair
  tries=0
  while [ ! -b /dev/$1 ] && [ $tries -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
  target=/dev/$1
  if [ $2 = fs ]; then
    mkdir -p /mnt/$1
    mount -t ext4 /dev/$1 /mnt/$1 || echo "$1: cannot be mounted"
    target=/mnt/$1/counter
  fi
  disks="$disks$1 " targets="$targets$target "
done
IFS=' '

# parse RECORD: sets value to its counter, or to "bad".
parse() {
  IFS='= '
  set -f
  set -- $1
  set +f
  IFS=' '
  value=bad
  [ "$1$2$4$6" = domsnapnbootsum ] || return
  case $3 in '' | *[!0-9]*) return ;; esac
  case $5 in '' | *[!0-9a-f]*) return ;; esac
  [ "$7" = $((($3 ^ 0x$5) * 2654435761 & 0xffffffff)) ] && value=$3
}

# Reads all disks past the page cache: sets values to "vda=1 vdb=1", newest and oldest.
read_disks() {
  values= newest=0
  set -- $targets
  for disk in $disks; do
    parse "$(dd if=$1 bs=512 count=1 iflag=direct 2>/dev/null)"
    values="$values $disk=$value"
    [ $value != bad ] && [ $value -gt $newest ] && newest=$value
    shift
  done
}

record() { record="domsnap n=$1 boot=$boot sum=$((($1 ^ 0x$boot) * 2654435761 & 0xffffffff))"; }

# ring TARGET N: writes the record, which is that of N, to the ring.
ring() {
  printf '%-511s\n' "$record" |
    dd of=$1 bs=512 seek=$((2048 + $2 / 8 % 16 * 128)) conv=notrunc,fsync 2>/dev/null ||
    echo "$1: write failed at $2"
}

tick() {
  n=$((n + 1))
  record $n
  for target in $targets; do
    printf '%-511s\n' "$record" 1<>$target
    sync -d $target || echo "$target: write failed at $n"
  done
  [ $((n % 8)) = 0 ] || return
  for target in $targets; do ring $target $n; done
}

power_off() { sync; poweroff -f; }

# Whatever the power button's device says is a press.
for input in /sys/class/input/event*; do
  [ -e $input/device/name ] && read name <$input/device/name
  [ "$name" = 'Power Button' ] || continue
  IFS=/
  set -- $input
  IFS=' '
  { dd if=/dev/input/$5 bs=24 count=1 >/dev/null 2>&1 && power_off; } &
done

for port in /sys/class/virtio-ports/*; do
  [ -e $port/name ] && read name <$port/name
  [ "$name" = org.qemu.guest_agent.0 ] || continue
  IFS=/
  set -- $port
  IFS=' '
  /sbin/qemu-ga -m virtio-serial -p /dev/$5 -t /run &
done

random() { dd if=/dev/urandom bs=1M "$@" 2>/dev/null; }

# Rewrites the first $1 MiB of the file, $2 MiB of it every second.
keep_dirtying() {
  at=0
  while sleep 1; do
    [ $((at + $2)) -gt $1 ] && at=0
    random of=/ram/dirty seek=$at count=$2 conv=notrunc
    at=$((at + $2))
  done
}

# command WORD...: sets answer.
command_() {
  case $1 in
  read) read_disks; answer="mem=$n$values" ;;
  found) answer="boot=$boot$found" ;;
  nonce) answer="boot=$boot" ;;
  dirty)
    [ -n "$dirtying" ] && kill $dirtying && wait $dirtying 2>/dev/null
    dirtying=
    random of=/ram/dirty count=$2 || { answer='error=full'; return; }
    [ $3 -gt 0 ] && { keep_dirtying $2 $3 & dirtying=$!; }
    answer="dirty=$2"
    ;;
  fill)
    while read name kib _; do [ $name = MemTotal: ] && break; done </proc/meminfo
    answer="filled=$((kib * $2 / 102400))"
    random of=/ram/fill count=$((kib * $2 / 102400)) || answer='error=full'
    ;;
  write)
    target=/dev/$2 at=2
    [ -d /mnt/$2 ] && target=/mnt/$2/data at=0
    answer="written=$3"
    random of=$target seek=$at count=$3 conv=notrunc,fsync || answer='error=failed'
    ;;
  halt) answer='halting' ;;
  *) answer='error=unknown' ;;
  esac
}

# After a boot it goes on from what the disks hold, and writes the newest once more to all of them:
# the machine may have died between two disks. A disk that stayed behind (left out of a snapshot)
# gets the ring that goes with it.
read_disks
found=$values
n=$((newest > 0 ? newest - 1 : 0))
set -- $targets
for pair in $values; do
  IFS='='
  for value in $pair; do :; done
  IFS=' '
  if [ $value = bad ] || [ $value -lt $n ]; then
    old=$((newest - newest % 8 - 120))
    while [ $old -le $newest ]; do
      record $old
      [ $old -gt 0 ] && ring $1 $old
      old=$((old + 8))
    done
  fi
  shift
done

stty -F /dev/ttyS1 raw icanon clocal -echo
exec 3<>/dev/ttyS1
mkfifo /run/never
exec 4<>/run/never
read uptime _ </proc/uptime
echo "domsnap: boot $boot, ticking after $uptime s,$found"
# A read with a time limit can give up within a line, and lose its beginning: so the pause is a read
# of what never comes (which needs no fork), and a line is read only where one is there.
while :; do
  tick
  read -t $domsnap_interval -u 4 nothing
  read -t 0 -u 3 || continue
  read -u 3 id words
  command_ $words
  echo "$id $answer" >&3
  [ "$answer" = halting ] && { sleep 0.2; power_off; }
done
`;

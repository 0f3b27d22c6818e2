#!/bin/sh
# The guest's first process once the host's files are its root: from here until the exit status has been handed over.
# The host put this script, the command and the settings into /run/rig, a folder that both see.
. /run/rig/settings.sh
mkdir -p /dev/pts /dev/shm /dev/virtio-ports
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t configfs configfs /sys/kernel/config
mount -t debugfs debugfs /sys/kernel/debug
for port in /sys/class/virtio-ports/*; do # no udev here
	read -r name <"$port/name" && ln -s "../${port##*/}" "/dev/virtio-ports/$name"
done
echo '{"op": "up"}' >/dev/virtio-ports/rig.control
# Should the host's side be gone, nobody else would end this machine.
(sleep "$RIG_SECONDS" && echo "rig: $RIG_SECONDS s are over" >/dev/console && echo o >/proc/sysrq-trigger) &
sh /run/rig/command.sh </dev/null >/dev/virtio-ports/rig.output 2>&1
echo "{\"op\": \"exit\", \"status\": $?}" >/dev/virtio-ports/rig.control
sleep 10 # the host ends the machine as soon as it has read that
echo o >/proc/sysrq-trigger

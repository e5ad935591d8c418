#!/bin/sh
# A KVM host of the demo profile, in the shipped agent's image: joins, then runs its "machines", heartbeat and agent.
# Killing its container is what a lost power supply is to a host.
set -eu
conf=/etc/hostfence-agent/agent.conf
until [ -s "/demo/$HOST.token" ] && [ -s /demo/fingerprint ]; do sleep 1; done
if [ ! -s "$conf" ]; then
    hostfence-agent --config "$conf" enroll --controller "$CONTROLLER" --ca-fingerprint "$(cat /demo/fingerprint)" \
        --allow-http <"/demo/$HOST.token"
fi
# All containers share one kernel: each start of one is another boot all the same.
cat /proc/sys/kernel/random/uuid >/tmp/boot-id
export HOSTFENCE_AGENT_LAB_BOOT_ID=/tmp/boot-id

machine() {
    while :; do
        date | dd of="/mnt/shared/$1.qcow2" conv=notrunc,fsync 2>/dev/null
        sleep 1
    done
}
for vm in $VMS; do machine "$vm" & done
hostfence-agent --config "$conf" heartbeat &
exec hostfence-agent --config "$conf" serve

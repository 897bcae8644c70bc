#!/bin/sh
# Runs tests/vm/guest.sh in a virtual machine with a stock kernel and cgroup v2.
#
#   tests/vm/check.sh GLASSBOX [KERNEL]
#
# KERNEL is a directory with an unpacked kernel package (see run.sh). Without it, Debian's cloud
# kernel is fetched with apt-get into target/vm.
set -eu
cd "$(dirname "$0")/../.."
glassbox=$1
kernel=${2:-target/vm/kernel}
if [ ! -d "$kernel/boot" ]; then
    mkdir -p "$kernel"
    name() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: //p' | head -n 1; }
    package=$(name)
    if [ -z "$package" ]; then
        apt-get update -qq
        package=$(name)
    fi
    (cd target/vm && apt-get download -qq "$package")
    dpkg -x target/vm/"$package"_*.deb "$kernel"
fi
exec tests/vm/run.sh -t 400 "$kernel" "$glassbox" "$(cat tests/vm/guest.sh)"

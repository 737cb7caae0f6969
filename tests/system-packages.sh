#!/usr/bin/env bash
# Debian packages that some tests drive. Tests whose program is absent are skipped, and say so.
# With the argument `cluster` it is another group: what `make cluster-test` needs, and no other target. With `clients` it
# is what `make clients` needs, with `databases` what `make databases` needs, with `volumes` what `make volume-guest`.
set -u
declare -A package # program: its package
case "${1:-}" in
  cluster) package=([/usr/lib/postgresql/15/bin/postgres]=postgresql-15 [patroni]=patroni [etcd]=etcd-server
                    [haproxy]=haproxy [faketime]=faketime [nft]=nftables [ip]=iproute2) ;;
  clients) package=([rclone]=rclone [restic]=restic [s3fs]=s3fs [fusermount3]=fuse3 [duplicity]=duplicity
                    [/usr/lib/python3/dist-packages/boto3/__init__.py]=python3-boto3) ;;
  databases) package=([/usr/lib/postgresql/15/bin/postgres]=postgresql-15 [pgbackrest]=pgbackrest
                      [barman-cloud-backup]=barman-cli-cloud [/usr/lib/python3/dist-packages/boto3/__init__.py]=python3-boto3) ;;
  volumes) package=([cryptsetup]=cryptsetup-bin [qemu-system-x86_64]=qemu-system-x86 [busybox]=busybox-static [cpio]=cpio
                    [depmod]=kmod [dmsetup]=dmsetup [mkfs.ext4]=e2fsprogs) ;;
  *) package=([chromium]=chromium [rclone]=rclone [openssl]=openssl [node]=nodejs [npm]=npm [faketime]=faketime [pg_ctlcluster]=postgresql [pgbackrest]=pgbackrest
              [ceph-mon]=ceph-mon [ceph-osd]=ceph-osd [ceph-mgr]=ceph-mgr [ceph]=ceph-common [radosgw]=radosgw
              [cryptsetup]=cryptsetup-bin [qemu-storage-daemon]=qemu-system-common [qemu-io]=qemu-utils [mkfs.xfs]=xfsprogs) ;;
esac

look() { # fills `missing` with the packages whose programs are not there
  missing=()
  for program in "${!package[@]}"; do
    command -v "$program" >/dev/null || [ -e "$program" ] || missing+=("${package[$program]}")
  done
}

skipped() {
  echo "system packages: ${missing[*]} not installed ($1); the tests that need them are skipped"
  exit 0
}

look
[ ${#missing[@]} -eq 0 ] && exit 0

command -v apt-get >/dev/null || skipped "no apt-get here"
[ "$(id -u)" -eq 0 ] || skipped "not root"

# The tests start servers of their own: let none of the packages start one as a service of this machine.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
install() { # one by one, so that a package that is not to be had keeps no other away
  for name in "${missing[@]}"; do apt-get install -y -qq --no-install-recommends "$name" >/dev/null 2>&1; done
  look
  [ ${#missing[@]} -eq 0 ]
}
# A fresh machine may hold no package lists, or old ones: fetch them only when the first try fails.
install || { apt-get update -qq >/dev/null 2>&1; install; } || skipped "apt-get could not install them"

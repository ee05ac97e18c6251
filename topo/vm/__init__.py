"""A virtual machine of this machine's own files, whose kernel has Open vSwitch, netem and SCTP: `mininetes vm`.

QEMU boots Debian's kernel; the guest's root is the host's, read-only over 9p, with a private layer in memory on top. So
what is installed on the host is installed in there, and nothing that is written in there reaches the host but for one
folder.

    image       where a kernel, its modules and busybox are; fetch: how they get there
    modules     which files a kernel module takes, in which order
    cpio        an archive as the kernel unpacks it (initramfs)
    initramfs   the first few files of the guest: modules, busybox, a script
    shares      the folders of the host that the guest sees, and how
    qemu        QEMU's command line, and its life
    accelerator whether the processor's own virtualisation works here
    protocol    what host and guest tell each other
    host        the host's side of one run: boot, pass bytes, end
    terminal    … of a user's terminal
    guest       the guest's side: its first process once the root is there
    guest_run   … and the command that it runs

`guest` and `guest_run` run in the virtual machine, everything else on the host.
"""

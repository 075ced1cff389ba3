"""A real machine to set up: Debian in QEMU, as a cloud would start it, and a hostile neighbour.

`make test-vm` uses it. It needs root, for the disk image and for the neighbour's network.
"""

"""A throw-away machine with real UART drivers and no hardware: ``python -m hw_tests.rig``.

On the host (standard library only):
  kernel     what comes from Debian: kernel, headers, busybox; downloaded once, kept in ``.cache/hw``
  nullmodem  builds ``module/nullmodem.c``, our paced serial driver with modem lines, against that kernel
  initramfs  the few files that the guest starts from
  machine    the QEMU command, its process, and the time limits that it is held to
  pump       the cables of the emulated 8250 ports: paced, stalled, counted
  control    answers what the guest asks of the host
  __main__   the command

In the guest (``guest/``, standard library only):
  start.sh   from the switch to the real root until the exit status has been handed over
  host       asks the host
  gadget     USB devices made of configfs on dummy_hcd: both ends of the cable are in the guest
  ftdi       an FT232R in user space, driven by the guest's own ftdi_sio
"""

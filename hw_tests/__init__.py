"""The promises of serialwrite, kept on real UART drivers: emulated ones (``hw_tests.rig``) and wired ones."""

"""Talking to power devices: the driver protocol, its drivers, and who may speak to a BMC when."""

"""The pure core: snapshots in, decisions with coded reasons out. No I/O, no clock, no framework."""

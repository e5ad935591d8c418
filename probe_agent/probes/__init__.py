"""Storage probes: ``file`` for anything with a path; others come as plug-ins (see :mod:`probe_agent.probes.base`)."""

"""Apache CloudStack through its public API alone."""

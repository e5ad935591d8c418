"""The hostfence controller: decides, fences, proves, releases, tells."""

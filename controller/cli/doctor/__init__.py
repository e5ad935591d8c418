"""What ``hostfence doctor`` makes of the controller's answers. Pure: it asks nobody."""

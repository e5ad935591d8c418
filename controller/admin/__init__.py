"""What an administrator does to a deployment with ``hostfence-controller``: its schema, its keys, its backups."""

"""The store: its port (:mod:`controller.db.store`) and the PostgreSQL behind it, the only home of SQLAlchemy."""

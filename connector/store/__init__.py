"""The ledger: what came in, what is due, what went out; the work lives here and the broker holds only ids."""

from connector.store.engine import open_ledger
from connector.store.ledger import SqlLedger

__all__ = ["SqlLedger", "open_ledger"]

"""Settings documents and audit."""

from alembic import op
from leadbus.settings import documents
from leadbus.web.audit import DDL_V1

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(documents.DDL_V1)
    op.execute(DDL_V1)

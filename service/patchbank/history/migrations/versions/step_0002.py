"""Anomaly maps are kept with detections, as small as their grid of patches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the step."""
    op.create_table(
        "maps",
        sa.Column("detection_id", _ID, nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["detection_id"], ["detections.id"], name="fk_maps_detection_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("detection_id", name="pk_maps"),
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("maps")

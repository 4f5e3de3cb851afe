"""The tables as they were first."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_ID = sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql")


def _where(condition: str) -> dict[str, Any]:
    """Of rows that an index is for."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Make the step."""
    op.create_table(
        "actions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("detection_id", _ID, nullable=False),
        sa.Column("class_name", sa.Text(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("added", sa.Text(), nullable=False),
        sa.Column("before_version", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_version", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_actions"),
    )
    op.create_index("ix_actions_class_name_id", "actions", ["class_name", "id"])
    op.create_index("ix_actions_detection_id", "actions", ["detection_id"])

    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("name", name="uq_api_keys_name"),
        sa.UniqueConstraint("sha256", name="uq_api_keys_sha256"),
    )
    op.create_table(
        "detections",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("class_name", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("decision", sa.String(length=8), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("frame_fault", sa.String(length=16), nullable=True),
        sa.Column("score", sa.Float(precision=53), nullable=True),
        sa.Column("threshold", sa.Float(precision=53), nullable=True),
        sa.Column("review_threshold", sa.Float(precision=53), nullable=True),
        sa.Column("pixel_threshold", sa.Float(precision=53), nullable=True),
        sa.Column("p_value", sa.Float(precision=53), nullable=True),
        sa.Column("similarity", sa.Float(precision=53), nullable=True),
        sa.Column("brightness", sa.Float(precision=53), nullable=True),
        sa.Column("margin", sa.Float(precision=53), nullable=True),
        sa.Column("class_confidence", sa.Float(precision=53), nullable=True),
        sa.Column("anomaly_percentage", sa.Float(precision=53), nullable=True),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("image_id", sa.String(length=24), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("own_rule", sa.Boolean(), nullable=False),
        sa.Column("backbone", sa.Text(), nullable=False),
        sa.Column("milliseconds", sa.Float(precision=53), nullable=False),
        sa.Column("word", sa.String(length=16), nullable=True),
        sa.Column("picture_bytes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_detections"),
    )
    op.create_index("ix_detections_class_name_id", "detections", ["class_name", "id"])
    op.create_index(
        "ix_detections_judged_class_name_word_id",
        "detections",
        ["class_name", "word", "id"],
        **_where("word IS NOT NULL"),
    )
    op.create_index(
        "ix_detections_kept", "detections", ["id", "decision", "picture_bytes"], **_where("picture_bytes > 0")
    )
    op.create_index(
        "ix_detections_unjudged_class_name_margin",
        "detections",
        ["class_name", "margin", "id"],
        **_where("word IS NULL"),
    )
    op.create_index("ix_detections_unjudged_margin", "detections", ["margin", "id"], **_where("word IS NULL"))

    op.create_table(
        "shadows",
        sa.Column("class_name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("share", sa.Float(precision=53), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("class_name", name="pk_shadows"),
    )
    op.create_table(
        "pictures",
        sa.Column("detection_id", _ID, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["detection_id"], ["detections.id"], name="fk_pictures_detection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("detection_id", name="pk_pictures"),
    )
    op.create_table(
        "shadow_verdicts",
        sa.Column("detection_id", _ID, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("class_name", sa.Text(), nullable=False),
        sa.Column("decision", sa.String(length=8), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("score", sa.Float(precision=53), nullable=False),
        sa.Column("threshold", sa.Float(precision=53), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["detection_id"], ["detections.id"], name="fk_shadow_verdicts_detection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("detection_id", "version", name="pk_shadow_verdicts"),
    )
    op.create_index(
        "ix_shadow_verdicts_class_name_version_agrees",
        "shadow_verdicts",
        ["class_name", "version", "agrees", "detection_id"],
    )

    op.create_table(
        "thumbnails",
        sa.Column("detection_id", _ID, nullable=False),
        sa.Column("jpeg", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["detection_id"], ["detections.id"], name="fk_thumbnails_detection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("detection_id", name="pk_thumbnails"),
    )
    op.create_table(
        "words",
        sa.Column("id", _ID, nullable=False),
        sa.Column("detection_id", _ID, nullable=False),
        sa.Column("word", sa.String(length=16), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["detection_id"], ["detections.id"], name="fk_words_detection_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_words"),
    )
    op.create_index("ix_words_detection_id", "words", ["detection_id"])


def downgrade() -> None:
    """Undo it."""
    for table in ("words", "thumbnails", "shadow_verdicts", "pictures", "shadows", "detections", "api_keys", "actions"):
        op.drop_table(table)

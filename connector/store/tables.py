"""The tables of the ledger; times are seconds since the epoch, UTC."""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

UID = sa.String(64)

# One row for each SOP instance that was answered with success.
instance = sa.Table(
    "instance",
    metadata,
    sa.Column("sop_instance_uid", UID, primary_key=True),
    sa.Column("sop_class_uid", UID, nullable=False),
    sa.Column("study_instance_uid", UID, nullable=False, index=True),
    sa.Column("series_instance_uid", UID, nullable=False),
    sa.Column("transfer_syntax_uid", UID, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("modality", sa.String(16), nullable=False),
    sa.Column("source", sa.String(255), nullable=False),
    sa.Column("received_at", sa.Float, nullable=False),
)

# The patient key is the issuer and the ID as sent: it groups studies, and never leaves this table for a log.
study = sa.Table(
    "study",
    metadata,
    sa.Column("study_instance_uid", UID, primary_key=True),
    sa.Column("case_ref", sa.String(64), nullable=False, index=True),
    sa.Column("patient_key", sa.Text, nullable=False),
    sa.Column("study_date", sa.String(8), nullable=False),
    sa.Column(
        "state", sa.String(16), nullable=False, index=True
    ),  # receiving, complete, prior, rejected, tidying, tidied
    sa.Column("completed_because", sa.String(64)),
    sa.Column("first_received_at", sa.Float, nullable=False),
    sa.Column("last_received_at", sa.Float, nullable=False),
    sa.Column("completed_at", sa.Float),
    sa.Column("identity_released_at", sa.Float),
    sa.Column("rule", sa.String(64)),  # the routing rule that it was completed by
    sa.Column("assess", sa.String(64)),  # the parts of an assessment that it gets, with commas; NULL: all
    sa.Column("told", sa.Text),  # why it is kept out or incomplete, or was completed all the same
    sa.Column("traceparent", sa.String(55)),  # W3C Trace Context of its reception; renewed when it opens again
    # The worklist reads these in order, a page at a time.
    sa.Index("ix_study_last_received_at_study_instance_uid", "last_received_at", "study_instance_uid"),
    sa.Index("ix_study_case_ref_last_received_at", "case_ref", "last_received_at"),
)

# What the routing rules and the quiet time of a series go by.
series = sa.Table(
    "series",
    metadata,
    sa.Column("series_instance_uid", UID, primary_key=True),
    sa.Column("study_instance_uid", UID, nullable=False, index=True),
    sa.Column("modality", sa.String(16), nullable=False),
    sa.Column("body_part", sa.String(64), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("procedure_codes", sa.Text, nullable=False),  # SCHEME:CODE, one a line
    sa.Column("last_received_at", sa.Float, nullable=False),
)

# What others tell us of a study's acquisition (mpps), of instances that can be had (ian), or order from us (ups).
procedure_step = sa.Table(
    "procedure_step",
    metadata,
    sa.Column("uid", UID, primary_key=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # the Procedure Step State or Performed Procedure Step Status
    sa.Column("study_instance_uid", UID, nullable=False, index=True),
    sa.Column("attributes", sa.Text, nullable=False),  # the object as DICOM JSON
    sa.Column("awaited", sa.Text, nullable=False),  # SOP Instance UIDs that belong to it, one a line
    sa.Column("owner", sa.String(255), nullable=False),  # calling AE title or client
    sa.Column("transaction_uid", UID),  # the lock of who performs a ups
    sa.Column("ours", sa.Boolean, nullable=False, server_default=sa.false()),  # we perform it
    sa.Column("reason", sa.Text),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("settled_at", sa.Float, index=True),  # nothing more is to be done because of it
)

association = sa.Table(
    "association",
    metadata,
    sa.Column("association_id", sa.String(64), primary_key=True),
    sa.Column("alive_at", sa.Float, nullable=False),
)

association_study = sa.Table(
    "association_study",
    metadata,
    sa.Column("association_id", sa.String(64), primary_key=True),
    sa.Column("study_instance_uid", UID, primary_key=True),
)

# A step that is due, leased, done, parked (the other side refused) or set aside (the input is impossible).
job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),  # assess, deliver, withdraw, report
    sa.Column("ref", sa.String(128), nullable=False),  # Study Instance UID, or the id of a document or promise
    sa.Column(
        "serial", sa.String(80), nullable=False, index=True
    ),  # jobs with equal serial run one at a time, in order
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("due_at", sa.Float, nullable=False),
    sa.Column("queued_until", sa.Float, nullable=False),  # a message is on its way; after this it counts as lost
    sa.Column("asked_at", sa.Float, nullable=False),  # grows whenever new input asks for the step again
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("lease_token", sa.String(36)),
    sa.Column("lease_until", sa.Float),
    sa.Column("reason", sa.Text),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("caused_at", sa.Float),  # when the last instance came, or the news, that asked for it
    sa.Column("traceparent", sa.String(55)),  # W3C Trace Context of what asked for it
    sa.UniqueConstraint("kind", "ref"),
    sa.Index("ix_job_state_due_at", "state", "due_at"),
)

assessment = sa.Table(
    "assessment",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("case_ref", sa.String(64), nullable=False, index=True),
    sa.Column("study_instance_uid", UID, nullable=False),
    sa.Column("input_digest", sa.String(64), nullable=False),
    sa.Column("ruleset", sa.String(64), nullable=False),
    sa.Column("assessed_at", sa.Float, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),  # the assessment as JSON, without identity
    sa.Index("ix_assessment_study_instance_uid_assessed_at", "study_instance_uid", "assessed_at"),
)

document = sa.Table(
    "document",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("assessment_id", sa.String(36), sa.ForeignKey("assessment.id"), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("destination", sa.String(16), nullable=False),
    sa.Column("identity", sa.String(255), nullable=False),
    sa.Column("sop_class_uid", UID, nullable=False),
    sa.Column("series_instance_uid", UID, nullable=False),
    sa.Column("study_instance_uid", UID, nullable=False, index=True),
    sa.Column("path", sa.Text, nullable=False),  # content-addressed file in the outbox folder; empty: tidied away
    sa.Column("delivered_at", sa.Float),
    sa.Column("note", sa.Text),
    sa.Column("took_seconds", sa.Float),  # from the last instance, or the news, to the delivery
    sa.UniqueConstraint("destination", "identity"),
)

patient = sa.Table(
    "patient",
    metadata,
    sa.Column("case_ref", sa.String(64), primary_key=True),
    sa.Column("record_reference", sa.String(128), nullable=False, index=True),  # the EHR's, e.g. Patient/17
    sa.Column("seen_until", sa.Text),  # high-water mark of the last look for Observations
    sa.Column("polled_at", sa.Float, nullable=False),
)

# One row for each running process, so that every other one can tell who lives.
pulse = sa.Table(
    "pulse",
    metadata,
    sa.Column("process", sa.String(128), primary_key=True),  # host and process id
    sa.Column("part", sa.String(16), nullable=False),  # listen, worker, sweep
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("sign_in", sa.String(16)),  # at the EHR: none, held, refused
    sa.Column("sign_in_until", sa.Float),
)

# Append-only: what happened, to what, and what a person should know. Also the audit trail.
event = sa.Table(
    "event",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("kind", sa.String(32), nullable=False, index=True),
    sa.Column("ref", sa.String(255), nullable=False, index=True),
    sa.Column("case_ref", sa.String(64), index=True),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("actor", sa.String(255), index=True),  # who did it: an AE title, a user; empty: the service itself
    sa.Column("succeeded", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("forward_to", sa.String(32), index=True),  # audit repositories that still have to hear of it
    sa.Column("action_key", sa.String(64), unique=True),  # of the form that a person sent: sent twice, done once
)

# What all workers must know of a neighbour: how an EHR is written, its subscription, and locks (named `lock:…`).
note = sa.Table(
    "note",
    metadata,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
)

# Which case each FHIR resource that we made belongs to, so that our own FHIR endpoint finds it by its id.
served = sa.Table(
    "served",
    metadata,
    sa.Column("resource_id", sa.String(64), primary_key=True),
    sa.Column("case_ref", sa.String(64), nullable=False, index=True),
)

# A person who signs in with a password; those of an OpenID provider have no row here.
account = sa.Table(
    "account",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),  # argon2id
    sa.Column("roles", sa.Text, nullable=False),  # with commas
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("disabled_at", sa.Float),
    sa.Column("failures", sa.Integer, nullable=False),  # wrong passwords since the last right one
    sa.Column("locked_until", sa.Float),
)

# A sign-in that may still be used; the browser holds the token, here is only its SHA-256.
session = sa.Table(
    "session",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False, index=True),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("began_at", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("way", sa.String(16), nullable=False, server_default=""),  # password, openid; empty: of an older version
)

# Failed sign-ins of an address (here as its SHA-256), so that all processes count together.
sign_in_failure = sa.Table(
    "sign_in_failure",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("ix_sign_in_failure_address_at", "address", "at"),
)

# What is answered when the EHR asks about a patient: the cards of the newest assessment, made with it.
card = sa.Table(
    "card",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),  # `card.uuid`
    sa.Column("assessment_id", sa.String(36), sa.ForeignKey("assessment.id"), nullable=False),
    sa.Column("case_ref", sa.String(64), nullable=False),
    sa.Column("about", sa.String(32), nullable=False),  # plan, or a modality
    sa.Column("made_at", sa.Float, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("ix_card_case_ref_made_at", "case_ref", "made_at"),
)

# What a clinician did with a card; a comment is free text of a person and never leaves this table for a log.
feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # a digest of what was told, so that telling it twice counts once
    sa.Column("card_id", sa.String(36), nullable=False, index=True),
    sa.Column("outcome", sa.String(16), nullable=False),  # accepted, overridden
    sa.Column("suggestions", sa.Text, nullable=False),  # labels of the accepted ones, as a JSON array
    sa.Column("reason", sa.String(128)),
    sa.Column("comment", sa.Text),
    sa.Column("acted_at", sa.String(40), nullable=False),
    sa.Column("received_at", sa.Float, nullable=False),
)

# HL7 v2 messages that were answered: taken, or set aside for a person with the reason and the file.
message = sa.Table(
    "message",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # a digest of sender and MSH-10
    sa.Column("sender", sa.String(255), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # ORU^R01
    sa.Column("digest", sa.String(64), nullable=False),  # of the whole message
    sa.Column("state", sa.String(16), nullable=False, index=True),  # taken, set_aside
    sa.Column("reason", sa.Text),
    sa.Column("path", sa.Text),
    sa.Column("context", sa.Text),  # of an order, as JSON without names
    sa.Column("case_ref", sa.String(64), index=True),
    sa.Column("received_at", sa.Float, nullable=False, index=True),
)

# Results that we keep ourselves, as FHIR Observations without their patient, by the case that the patient may be.
result = sa.Table(
    "result",
    metadata,
    sa.Column("case_ref", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("spoken_at", sa.Float, nullable=False),  # when the laboratory last spoke of it: a later word wins
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("received_at", sa.Float, nullable=False, index=True),
)

# What a sender asked us to commit to (storage commitment), until it took the result; the step is a job `report`.
promise = sa.Table(
    "promise",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("peer", sa.String(16), nullable=False),  # AE title
    sa.Column("transaction_uid", UID, nullable=False),
    sa.UniqueConstraint("peer", "transaction_uid"),
)

# The instances that it named, here or not; the case as far as it was known, so that they are erased with it.
promised_instance = sa.Table(
    "promised_instance",
    metadata,
    sa.Column("promise_id", sa.String(36), primary_key=True),
    sa.Column("sop_instance_uid", UID, primary_key=True, index=True),
    sa.Column("sop_class_uid", UID, primary_key=True),
    sa.Column("case_ref", sa.String(64), index=True),
)

"""The octets of an association: read whatever their pieces, written as pynetdicom reads them, refused when wrong."""

import socket
import threading
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RSP, N_EVENT_REPORT_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    P_DATA,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_context

from connector.dicom import receive_negotiation as negotiation
from connector.dicom import receive_wire as wire
from connector.dicom.receive_negotiation import Context, Doorkeeper
from connector.dicom.receive_wire import PduReader, WireFault, data_values, encode_command, encode_message, read_command

CT, COMMITMENT, VERIFICATION = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.20.1", "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT, JPEG_2000 = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"


def pdu(kind: int, body: bytes) -> bytes:
    return bytes([kind, 0]) + len(body).to_bytes(4, "big") + body


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([4, 5, 7]), st.integers(0, 200_000)), min_size=1, max_size=5),
    st.lists(st.integers(1, 150_000), min_size=1, max_size=5),
)
def test_pdus_are_read_whatever_their_pieces(pdus: list[tuple[int, int]], steps: list[int]) -> None:
    bodies = [(kind, bytes([number + 1]) * size) for number, (kind, size) in enumerate(pdus)]
    octets = b"".join(pdu(kind, body) for kind, body in bodies)
    ours, theirs = socket.socketpair()

    def send() -> None:
        at = number = 0
        while at < len(octets):
            step = steps[number % len(steps)]
            theirs.sendall(octets[at : at + step])
            at, number = at + step, number + 1
        theirs.close()

    sender = threading.Thread(target=send)
    sender.start()
    reader, read = PduReader(ours), []
    while (one := reader.read(5.0)) is not None:
        read.append((one[0], bytes(one[1])))
    sender.join()
    ours.close()
    assert read == bodies


@pytest.mark.parametrize(
    ("octets", "reason", "why"),
    [
        (b"\x09\x00\x00\x00\x00\x00", wire.UNRECOGNISED_PDU, "no such PDU"),
        (b"\x00\x00\x00\x00\x00\x00", wire.UNRECOGNISED_PDU, "no such PDU"),
        (b"\x04\x00\x00\x10\x00\x01", wire.INVALID_PARAMETER, "one octet more than a mebibyte"),
    ],
)
def test_pdus_that_are_none_are_refused(octets: bytes, reason: int, why: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(octets)
        with pytest.raises(WireFault) as fault:
            assert PduReader(ours).read(1.0) is None, why
    assert fault.value.reason == reason


@pytest.mark.parametrize("octets", [b"", b"\x04\x00", pdu(4, b"abcdef")[:-1]])
def test_a_pdu_that_does_not_come_times_out_or_ends(octets: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(octets)
        with pytest.raises(TimeoutError):
            PduReader(ours).read(0.02)
        theirs.close()
        assert PduReader(ours).read(1.0) is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x00\x00", "half an item"),
        (b"\x00\x00\x00\x05\x01\x03abcd"[:-2], "longer than its PDU"),
        (b"\x00\x00\x00\x01\x01\x03", "no room for context and control"),
    ],
)
def test_items_that_do_not_fit_are_refused(body: bytes, why: str) -> None:
    with pytest.raises(WireFault):
        assert list(data_values(memoryview(body))) is None, why


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_are_values_or_a_fault(octets: bytes) -> None:
    with suppress(WireFault):
        list(data_values(memoryview(octets)))
    with suppress(WireFault):
        read_command(octets)


def test_a_command_is_read_as_pynetdicom_writes_it() -> None:
    event = N_EVENT_REPORT_RQ()
    event.command_set.CommandField, event.command_set.CommandDataSetType = 0x0100, 1
    event.command_set.AffectedSOPClassUID, event.command_set.AffectedSOPInstanceUID = COMMITMENT, COMMITMENT + ".1"
    event.command_set.MessageID, event.command_set.EventTypeID = 513, 2
    event.command_set.CommandGroupLength = 0
    command = read_command(encode(event.command_set, True, True))
    assert command.number(wire.COMMAND_FIELD) == 0x0100
    assert (command.number(wire.MESSAGE_ID), command.number(wire.EVENT_TYPE)) == (513, 2)
    assert command.text(wire.AFFECTED_SOP_CLASS) == COMMITMENT
    assert command.text(wire.AFFECTED_SOP_INSTANCE) == COMMITMENT + ".1"
    assert command.has_data_set
    assert (command.number(wire.STATUS), command.text(wire.REQUESTED_SOP_CLASS)) == (0, "")


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "empty"),
        (b"\x00\x00\x10\x01\x02\x00\x00\x00\x01\x00", "no command field"),
        (b"\x08\x00\x16\x00\x02\x00\x00\x001\x00", "of another group"),
        (b"\x00\x00\x00\x01\x02\x00\x00\x00\x01", "cut off"),
        (b"\x00\x00\x00\x01\xff\xff\xff\xff\x01\x00", "a length beyond the end"),
    ],
)
def test_commands_that_are_none_are_refused(octets: bytes, why: str) -> None:
    with pytest.raises(WireFault):
        assert read_command(octets) is None, why


def test_an_answer_is_what_pynetdicom_reads() -> None:
    octets = encode_command({
        wire.AFFECTED_SOP_CLASS: CT,
        wire.COMMAND_FIELD: 0x8001,
        wire.ANSWERED_MESSAGE_ID: 7,
        wire.DATA_SET_TYPE: wire.NO_DATA_SET,
        wire.STATUS: 0xA700,
        wire.ERROR_COMMENT: "odd",
        wire.AFFECTED_SOP_INSTANCE: "1.2.3",
    })  # fmt: skip
    command = decode(BytesIO(octets), True, True)
    assert command.CommandGroupLength == len(octets) - 12
    assert (command.CommandField, command.MessageIDBeingRespondedTo, command.Status) == (0x8001, 7, 0xA700)
    assert (command.AffectedSOPClassUID, command.AffectedSOPInstanceUID, command.ErrorComment) == (CT, "1.2.3", "odd")
    message, data = C_STORE_RSP(), P_DATA()
    data.presentation_data_value_list = [[3, b"\x03" + octets]]
    assert message.decode_msg(data)
    assert isinstance(message.message_to_primitive(), C_STORE)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=3000), st.binary(max_size=3000), st.sampled_from([0, 256, 257, 1000, 16382]))
def test_messages_are_cut_to_what_the_peer_takes(command: bytes, data_set: bytes, largest: int) -> None:
    octets, read = encode_message(5, command, data_set, largest=largest), []
    while octets:
        length = int.from_bytes(octets[2:6], "big")
        assert not largest or length <= largest
        read += [(c, k, last, bytes(v)) for c, k, last, v in data_values(memoryview(octets)[6 : 6 + length])]
        octets = octets[6 + length :]
    assert {context for context, *_ in read} == {5}
    for is_command, whole in ((True, command), (False, data_set)):
        parts = [(last, octets) for _, kind, last, octets in read if kind is is_command]
        assert b"".join(octets for _, octets in parts) == whole
        assert [last for last, _ in parts] == [False] * (len(parts) - 1) + [True] * bool(parts)


# Negotiation


def request(*contexts: tuple[str, list[str]], roles: tuple[tuple[str, bool, bool], ...] = (), **changes: Any) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "CT1", "CONNECTOR"
    proposed = [build_context(abstract, syntaxes) for abstract, syntaxes in contexts or [(CT, [EXPLICIT])]]
    for number, context in enumerate(proposed):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = proposed
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = changes.pop("largest", 16382)
    implementation.implementation_class_uid = "1.2.3"
    primitive.user_information = [length, implementation]
    for uid, scu, scp in roles:
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = uid, scu, scp
        primitive.user_information.append(role)
    for name, value in changes.items():
        setattr(primitive, name, value)
    made = A_ASSOCIATE_RQ()
    made.from_primitive(primitive)
    return made.encode()


DOOR = Doorkeeper(ae_title="CONNECTOR", allowed_calling_ae_titles=frozenset({"CT1"}))
VERSION_2 = request()[:6] + b"\x00\x02" + request()[8:]


@pytest.mark.parametrize(
    ("octets", "full", "rejection", "why"),
    [
        (request(), False, None, "known"),
        (request(), True, (2, 3, 2), "the limit of associations is reached: transient"),
        (request(called_ae_title="OTHER"), False, (1, 1, 7), "called AE title not recognised"),
        (request(calling_ae_title="CT2"), False, (1, 1, 3), "calling AE title not recognised"),
        (request(called_ae_title="OTHER"), True, (1, 1, 7), "for good comes before for now"),
        (request(application_context_name="1.2.3"), False, (1, 1, 2), "application context not supported"),
        (VERSION_2, False, (1, 2, 2), "protocol version not supported"),
    ],
)
def test_who_is_admitted(octets: bytes, rejection: tuple[int, ...] | None, why: str, *, full: bool) -> None:
    admission = DOOR.admit(octets, full=full)
    assert admission.accepted is (rejection is None), why
    if rejection is not None:
        assert (admission.answer[0], tuple(admission.answer[7:10])) == (wire.ASSOCIATE_RJ, rejection), why


def test_a_request_that_holds_a_password_is_not_remembered() -> None:
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field, identity.secondary_field = 2, b"somebody", b"a secret"
    identity.positive_response_requested = False
    primitive = A_ASSOCIATE_RQ()
    primitive.decode(request(largest=30000))
    asked = primitive.to_primitive()
    asked.user_information.append(identity)
    with_password = A_ASSOCIATE_RQ()
    with_password.from_primitive(asked)
    assert b"a secret" in with_password.encode()
    known = negotiation._remembered.cache_info().currsize
    assert DOOR.admit(with_password.encode(), full=False).accepted
    assert negotiation._remembered.cache_info().currsize == known
    assert DOOR.admit(request(largest=30000), full=False).accepted
    assert negotiation._remembered.cache_info().currsize == known + 1, "without a password it is"


def test_a_request_is_read_once_for_all_associations_that_begin_together(monkeypatch: pytest.MonkeyPatch) -> None:
    octets, read, together = request(largest=30002), [], threading.Barrier(8)
    decode = negotiation._decode
    monkeypatch.setattr(negotiation, "_decode", lambda pdu: (read.append(1), decode(pdu))[1])
    asked = negotiation._remembered(octets)

    def admit() -> None:
        together.wait(10)
        answers.append(DOOR.admit(octets, full=False).answer)

    answers: list[bytes] = []
    threads = [threading.Thread(target=admit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [negotiation._Asked(octets).accept()[0]] * 8
    assert len(read) == 2, "once for the eight, once for the one that they are compared with"
    assert negotiation._remembered(octets) is asked


def test_every_storage_class_is_accepted_in_the_syntax_proposed_first() -> None:
    proposed = [
        (CT, [JPEG_2000, EXPLICIT]),
        ("1.2.840.10008.5.1.4.1.1.9999.7", ["1.2.840.10008.1.2.4.999"]),
        ("1.3.12.2.1107.5.9.1", [IMPLICIT]),
        (VERIFICATION, [IMPLICIT]),
        ("1.2.840.10008.5.1.4.1.2.2.1", [IMPLICIT]),  # a query: not ours to answer
    ]
    admission = DOOR.admit(request(*proposed), full=False)
    assert admission.contexts == {
        2 * number + 1: Context(abstract, syntaxes[0]) for number, (abstract, syntaxes) in enumerate(proposed[:4])
    }
    answer = A_ASSOCIATE_AC()
    answer.decode(admission.answer)
    results = {one.context_id: one.result for one in answer.to_primitive().presentation_context_definition_results_list}
    assert results == {1: 0, 3: 0, 5: 0, 7: 0, 9: 3}
    assert answer.user_information.maximum_length == 128 * 1024


def test_a_request_with_all_128_contexts_is_answered() -> None:
    proposed = [(f"1.2.840.10008.5.1.4.1.1.{number}", [IMPLICIT]) for number in range(1, 129)]
    assert len(DOOR.admit(request(*proposed), full=False).contexts) == 128


def test_a_pacs_may_be_the_provider_of_commitment() -> None:
    octets = request((COMMITMENT, [IMPLICIT]), roles=((COMMITMENT, False, True),))
    answer = A_ASSOCIATE_AC()
    answer.decode(DOOR.admit(octets, full=False).answer)
    (role,) = answer.user_information.role_selection.values()
    assert (role.scu_role, role.scp_role) == (False, True)


@pytest.mark.parametrize(("said", "taken"), [(16382, 16382), (0, 0), (10, 256)])
def test_the_peers_limit_is_kept(said: int, taken: int) -> None:
    assert DOOR.admit(request(largest=said), full=False).largest_pdu_bytes == taken


@pytest.mark.parametrize(
    ("item", "instead", "why"),
    [(0x30, 0x40, "a context without a SOP class"), (0x40, 0x30, "a context without a transfer syntax")],
)
def test_a_context_that_lacks_a_part_is_a_fault(item: int, instead: int, why: str) -> None:
    octets = request((CT, [IMPLICIT]))
    uid = (CT if item == 0x30 else IMPLICIT).encode()
    before, named, after = octets.partition(bytes([item, 0, 0, len(uid)]) + uid)  # PS3.8, table 9-14 and 9-15
    assert named
    with pytest.raises(WireFault, match="cannot be read"):
        pytest.fail(f"{why}: {DOOR.admit(before + bytes([instead]) + named[1:] + after, full=False)}")


REQUEST = request()


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@settings(max_examples=300, deadline=None)
@given(st.integers(6, len(REQUEST)), st.binary(max_size=6))
def test_a_spoilt_request_is_answered_or_a_fault(at: int, octets: bytes) -> None:
    with suppress(WireFault):
        DOOR.admit(REQUEST[:at] + octets + REQUEST[at + len(octets) :], full=False)
    with suppress(WireFault):
        DOOR.admit(REQUEST[:at], full=False)

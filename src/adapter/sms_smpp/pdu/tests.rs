//! Every unit that we write is read by another codec, and the reverse.

use super::*;
use crate::diag::Secret;
use proptest::prelude::*;
use rusmpp::decode::DecodeWithLength;
use rusmpp::encode::{Encode, Length};
use rusmpp::pdus::{
    BindReceiverResp, BindTransceiverResp, BindTransmitterResp, DataSm, DeliverSm, SubmitSmResp,
};
use rusmpp::tlvs::{MessageDeliveryRequestTlvValue, MessageSubmissionRequestTlvValue, TlvValue};
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{
    DataCoding, ErrorCodeNetworkType, EsmClass, InterfaceVersion, MessagePayload, MessageState,
    NetworkErrorCode, Npi, ServiceType, Ton,
};
use rusmpp::{Command, CommandStatus, Pdu};

/// Reads what we wrote with the other codec.
pub(in crate::adapter::sms_smpp) fn by_the_other(unit: &[u8]) -> Command {
    assert_eq!(unit_length(unit), Ok(Some(unit.len())));
    let mut body = From::from(&unit[4..]);
    let (command, read) = Command::decode(&mut body, unit.len() - 4).expect("the other codec reads it");
    assert_eq!(read, unit.len() - 4);
    command
}

/// Writes with the other codec.
pub(in crate::adapter::sms_smpp) fn from_the_other(
    status: u32,
    sequence: u32,
    pdu: impl Into<Pdu>,
) -> Vec<u8> {
    let command = Command::builder().status(CommandStatus::from(status)).sequence_number(sequence).pdu(pdu);
    let mut body = vec![0; command.length()];
    let written = command.encode(&mut body);
    assert_eq!(written, body.len());
    [&((body.len() + 4) as u32).to_be_bytes()[..], &body].concat()
}

fn encoded(say: &Say, status: u32, sequence: u32) -> Vec<u8> {
    // Behind what was written before, as in a session.
    let mut out = vec![0xEE; 3];
    say.encode(status, sequence, &mut out);
    out.split_off(3)
}

fn c<const MAX: usize>(text: &str) -> COctetString<1, MAX> {
    text.parse().expect("it fits")
}

fn text_up_to(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(0x21u8..0x7F, 0..=most)
        .prop_map(|octets| octets.into_iter().map(char::from).collect())
}

fn octets_up_to(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=most)
}

fn address() -> impl Strategy<Value = Address> {
    (0u8..=6, 0u8..=1, text_up_to(20)).prop_map(|(ton, npi, text)| Address { ton, npi, text })
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        octets_up_to(SHORT_MESSAGE_MAX).prop_map(Content::Short),
        octets_up_to(SHORT_MESSAGE_MAX).prop_map(Content::Headed),
        (octets_up_to(153), any::<u16>(), any::<u8>(), any::<u8>())
            .prop_map(|(octets, mark, total, number)| Content::Sar { octets, mark, total, number }),
        // The other codec takes a parameter of no octets for one that is not there.
        prop::collection::vec(any::<u8>(), 1..2_000).prop_map(Content::Payload),
    ]
}

fn submit_sm() -> impl Strategy<Value = SubmitSm> {
    let validity = prop_oneof![Just(String::new()), Just("0000010203040 00R".replace(' ', ""))];
    (address(), address(), 0u8..=3, validity, prop_oneof![Just(0u8), Just(8)], content()).prop_map(
        |(source, destination, priority, validity, data_coding, content)| SubmitSm {
            source,
            destination,
            priority,
            validity,
            data_coding,
            content,
        },
    )
}

/// The parameters of a submit by tag, as the other codec sees them.
fn parameters(submit: &rusmpp::pdus::SubmitSm) -> Vec<TlvValue> {
    submit.tlvs().iter().filter_map(|tlv| tlv.value().cloned()).collect()
}

proptest! {
    #[test]
    fn binds_are_read_by_another(
        system_id in text_up_to(15), password in text_up_to(8), system_type in text_up_to(12), sequence in 1u32..=SEQUENCE_MAX,
    ) {
        let login = Login { system_id: system_id.clone(), password: Secret::new(password.as_str()), system_type: system_type.clone() };
        for role in [Role::Transceiver, Role::Transmitter, Role::Receiver] {
            let command = by_the_other(&encoded(&Say::Bind(role, login.clone()), 0, sequence));
            prop_assert_eq!(command.sequence_number(), sequence);
            macro_rules! same {
                ($bind:expr) => {{
                    prop_assert_eq!(&$bind.system_id, &c::<16>(&system_id));
                    prop_assert_eq!(&$bind.password, &c::<9>(&password));
                    prop_assert_eq!(&$bind.system_type, &c::<13>(&system_type));
                    prop_assert_eq!($bind.interface_version, InterfaceVersion::Smpp3_4);
                    prop_assert_eq!(&$bind.address_range, &c::<41>(""));
                }};
            }
            match (role, command.pdu().expect("a body")) {
                (Role::Transceiver, Pdu::BindTransceiver(bind)) => same!(bind),
                (Role::Transmitter, Pdu::BindTransmitter(bind)) => same!(bind),
                (Role::Receiver, Pdu::BindReceiver(bind)) => same!(bind),
                _ => prop_assert!(false, "another unit"),
            }
        }
    }

    #[test]
    fn submits_are_read_by_another(ours in submit_sm(), sequence in 1u32..=SEQUENCE_MAX) {
        let command = by_the_other(&encoded(&Say::SubmitSm(ours.clone()), 0, sequence));
        let Some(Pdu::SubmitSm(theirs)) = command.pdu() else { panic!("another unit") };
        prop_assert_eq!((theirs.source_addr_ton, theirs.source_addr_npi), (Ton::from(ours.source.ton), Npi::from(ours.source.npi)));
        prop_assert_eq!((theirs.dest_addr_ton, theirs.dest_addr_npi), (Ton::from(ours.destination.ton), Npi::from(ours.destination.npi)));
        prop_assert_eq!(&theirs.source_addr, &c::<21>(&ours.source.text));
        prop_assert_eq!(&theirs.destination_addr, &c::<21>(&ours.destination.text));
        prop_assert_eq!(u8::from(theirs.priority_flag), ours.priority);
        prop_assert_eq!(theirs.validity_period.as_ref(), [ours.validity.as_bytes(), &[0][..]].concat());
        prop_assert_eq!(theirs.schedule_delivery_time.as_ref(), [0u8]);
        prop_assert_eq!(u8::from(theirs.registered_delivery), 1);
        prop_assert_eq!(u8::from(theirs.data_coding), ours.data_coding);
        let (esm_class, short, parameters_expected) = match ours.content {
            Content::Short(octets) => (0x00, octets, vec![]),
            Content::Headed(octets) => (0x40, octets, vec![]),
            Content::Sar { octets, mark, total, number } => (0x00, octets, vec![
                TlvValue::SarMsgRefNum(mark),
                TlvValue::SarTotalSegments(total),
                TlvValue::SarSegmentSeqnum(number),
            ]),
            Content::Payload(octets) => (0x00, vec![], vec![
                TlvValue::MessagePayload(MessagePayload::new(rusmpp::types::AnyOctetString::from_vec(octets))),
            ]),
        };
        prop_assert_eq!(u8::from(theirs.esm_class), esm_class);
        prop_assert_eq!(theirs.short_message().as_ref(), short);
        prop_assert_eq!(parameters(theirs), parameters_expected);
    }

    #[test]
    fn responses_of_another_are_read(
        status in prop_oneof![Just(0u32), Just(0x58), any::<u32>()], sequence in 1u32..=SEQUENCE_MAX, id in text_up_to(64),
    ) {
        let heard = decode(&from_the_other(status, sequence, SubmitSmResp::new(c(&id), vec![])));
        let message_id = Some(id).filter(|id| !id.is_empty() && status == 0);
        prop_assert_eq!(heard, Heard { status, sequence, body: Hear::SubmitSmResp { message_id } });
        let version = Some(InterfaceVersion::Smpp3_4);
        let binds = [
            from_the_other(status, sequence, BindTransceiverResp::new(c("smsc"), version)),
            from_the_other(status, sequence, BindTransmitterResp::new(c("smsc"), version)),
            from_the_other(status, sequence, BindReceiverResp::new(c("smsc"), None)),
        ];
        for bind in binds {
            prop_assert_eq!(decode(&bind), Heard { status, sequence, body: Hear::BindResp });
        }
    }

    #[test]
    fn messages_of_another_are_read(
        esm_class in any::<u8>(),
        data_coding in any::<u8>(),
        octets in octets_up_to(255),
        payload in prop::option::of(prop::collection::vec(any::<u8>(), 1..1_000)),
        id in prop::option::of(text_up_to(64)),
        state in prop::option::of(0u8..=9),
        network in prop::option::of((1u8..=8, any::<u16>())),
        ton in 0u8..=6,
        sequence in 1u32..=SEQUENCE_MAX,
    ) {
        let id = id.filter(|id| !id.is_empty());
        let source = Address { ton, npi: 1, text: "970599000001".into() };
        let expected = Delivered {
            source: source.clone(),
            part: None,
            esm_class,
            data_coding,
            octets: payload.clone().unwrap_or_else(|| octets.clone()),
            receipted_message_id: id.clone(),
            message_state: state,
            network_error: network,
        };
        let mut deliver = DeliverSm::builder()
            .service_type(ServiceType::default())
            .source_addr_ton(Ton::from(ton))
            .source_addr_npi(Npi::from(1))
            .source_addr(c("970599000001"))
            .destination_addr(c("4321"))
            .esm_class(EsmClass::from(esm_class))
            .data_coding(DataCoding::from(data_coding))
            .short_message(OctetString::from_vec(octets).expect("it fits"))
            // One that nobody has a use for comes first.
            .push_tlv(MessageDeliveryRequestTlvValue::UserResponseCode(7));
        let mut data = DataSm::builder()
            .source_addr_ton(Ton::from(ton))
            .source_addr_npi(Npi::from(1))
            .source_addr(c("970599000001"))
            .destination_addr(c("4321"))
            .esm_class(EsmClass::from(esm_class))
            .data_coding(DataCoding::from(data_coding));
        if let Some(payload) = payload.clone() {
            let payload = MessagePayload::new(rusmpp::types::AnyOctetString::from_vec(payload));
            deliver = deliver.push_tlv(MessageDeliveryRequestTlvValue::MessagePayload(payload.clone()));
            data = data.push_tlv(MessageSubmissionRequestTlvValue::MessagePayload(payload));
        }
        if let Some(id) = &id {
            deliver = deliver.push_tlv(MessageDeliveryRequestTlvValue::ReceiptedMessageId(c(id)));
        }
        if let Some(state) = state {
            deliver = deliver.push_tlv(MessageDeliveryRequestTlvValue::MessageState(MessageState::from(state)));
        }
        if let Some((kind, code)) = network {
            let error = NetworkErrorCode::new(ErrorCodeNetworkType::from(kind), code);
            deliver = deliver.push_tlv(MessageDeliveryRequestTlvValue::NetworkErrorCode(error));
        }
        let heard = decode(&from_the_other(0, sequence, deliver.build()));
        prop_assert_eq!(heard, Heard { status: 0, sequence, body: Hear::DeliverSm(expected) });
        let heard = decode(&from_the_other(0, sequence, data.build()));
        let octets = payload.unwrap_or_default();
        let expected = Delivered { source, esm_class, data_coding, octets, ..Delivered::default() };
        prop_assert_eq!(heard, Heard { status: 0, sequence, body: Hear::DataSm(expected) });
    }

    #[test]
    fn any_octets_are_survived(
        id in prop_oneof![
            Just(id::DELIVER_SM), Just(id::DATA_SM), Just(id::SUBMIT_SM | id::RESPONSE), any::<u32>(),
        ],
        rest in octets_up_to(400),
    ) {
        let head = [(rest.len() as u32 + 16), id, 0, 1].map(u32::to_be_bytes).concat();
        decode(&[head, rest.clone()].concat());
        decode(&rest);
        let _ = unit_length(&rest);
    }

    #[test]
    fn what_another_reads_is_never_unreadable(rest in octets_up_to(120), response in any::<bool>()) {
        let id = if response { id::SUBMIT_SM | id::RESPONSE } else { id::DELIVER_SM };
        let unit = [[(rest.len() as u32 + 16), id, 0, 1].map(u32::to_be_bytes).concat(), rest].concat();
        let mut body = From::from(&unit[4..]);
        let theirs = Command::decode(&mut body, unit.len() - 4).is_ok_and(|(command, _)| command.pdu().is_some());
        let ours = !matches!(decode(&unit).body, Hear::UnreadableRequest | Hear::UnreadableResponse);
        prop_assert!(ours || !theirs);
    }
}

#[test]
fn small_units_are_the_same_both_ways() {
    for (say, pdu) in [
        (Say::EnquireLink, Pdu::EnquireLink),
        (Say::EnquireLinkResp, Pdu::EnquireLinkResp),
        (Say::UnbindResp, Pdu::UnbindResp),
        (Say::GenericNack, Pdu::GenericNack),
    ] {
        assert_eq!(encoded(&say, 3, 9), from_the_other(3, 9, pdu.clone()));
        assert_eq!(by_the_other(&encoded(&say, 0, 1)).pdu(), Some(&pdu));
    }
    let resp = |pdu: &Pdu| matches!(pdu, Pdu::DeliverSmResp(resp) if resp.message_id().as_ref() == [0]);
    assert!(by_the_other(&encoded(&Say::DeliverSmResp, 0, 1)).pdu().is_some_and(resp));
    let resp = |pdu: &Pdu| matches!(pdu, Pdu::DataSmResp(resp) if resp.message_id().as_ref() == [0]);
    assert!(by_the_other(&encoded(&Say::DataSmResp, 0, 1)).pdu().is_some_and(resp));
    for (pdu, expected) in [
        (Pdu::EnquireLink, Hear::EnquireLink),
        (Pdu::EnquireLinkResp, Hear::EnquireLinkResp),
        (Pdu::Unbind, Hear::Unbind),
        (Pdu::UnbindResp, Hear::UnbindResp),
        (Pdu::GenericNack, Hear::GenericNack),
        (Pdu::AlertNotification(Default::default()), Hear::Idle),
        (Pdu::Outbind(Default::default()), Hear::Idle),
        (Pdu::QuerySm(Default::default()), Hear::UnknownRequest),
        (Pdu::QuerySmResp(Default::default()), Hear::Idle),
    ] {
        assert_eq!(decode(&from_the_other(0, 5, pdu)), Heard { status: 0, sequence: 5, body: expected });
    }
}

#[test]
fn vendors_shortcuts_are_taken() {
    let unit = |id: u32, status: u32, body: &[u8]| {
        [[(body.len() as u32 + 16), id, status, 1].map(u32::to_be_bytes).concat(), body.to_vec()].concat()
    };
    let resp = |status, body: &[u8]| match decode(&unit(id::SUBMIT_SM | id::RESPONSE, status, body)).body {
        Hear::SubmitSmResp { message_id } => message_id.unwrap_or_default(),
        _ => "unreadable".into(),
    };
    assert_eq!(resp(0, b"abc\0"), "abc");
    assert_eq!(resp(0, b"abc"), "abc");
    assert_eq!(resp(0, b""), "");
    assert_eq!(resp(0x58, b""), "");
    assert_eq!(resp(0, &[b'x'; 65]), "unreadable");
    assert_eq!(resp(0, &[&[b'x'; 200][..], b"\0"].concat()).len(), 200);
    assert_eq!(resp(0, &[&[b'x'; 201][..], b"\0"].concat()), "unreadable");
    // A parameter that claims more than there is ends the reading, and what came before it counts.
    let short = [
        &b"\0\x01\x01a\0\x01\x01b\0\x04\0\0\0\0\x01\0\0\0\x02hi"[..],
        b"\x04\x27\0\x01\x02\x04\x23\0\x09\x03",
    ]
    .concat();
    let Hear::DeliverSm(delivered) = decode(&unit(id::DELIVER_SM, 0, &short)).body else {
        panic!("readable")
    };
    assert_eq!(
        (delivered.message_state, delivered.network_error, delivered.octets),
        (Some(2), None, b"hi".to_vec())
    );
    assert_eq!(decode(&unit(id::DELIVER_SM, 0, &short[..15])).body, Hear::UnreadableRequest);
}

#[test]
fn a_length_that_is_none_ends_the_link() {
    assert_eq!(unit_length(&[0, 0, 0]), Ok(None));
    assert_eq!(unit_length(&[0, 0, 0, 16]), Ok(Some(16)));
    assert_eq!(unit_length(&[0, 0, 0, 15]), Err(BadLength(15)));
    assert_eq!(unit_length(b"HTTP"), Err(BadLength(0x4854_5450)));
    assert_eq!(unit_length(&(COMMAND_LENGTH_MAX as u32).to_be_bytes()), Ok(Some(COMMAND_LENGTH_MAX)));
    assert!(unit_length(&(COMMAND_LENGTH_MAX as u32 + 1).to_be_bytes()).is_err());
}

//! The answer to each DNS query, and the count of answers. No input or output.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{Name, RData, Record};

use crate::netns::{DnsAnswer, NAME};

/// TTL of all answers, negative ones included, in seconds: short, as for a name that moves in a failover.
const TTL: u32 = 1;

/// A zone with one name, and the answer that is configured for it.
pub(super) struct Zone {
    name: Name,
    /// The parent of the name, for the SOA of negative answers.
    apex: Name,
    addresses: Vec<IpAddr>,
    dns_answer: DnsAnswer,
    answered: BTreeMap<DnsAnswer, u64>,
}

impl Zone {
    /// Creates the zone, which answers with these addresses.
    pub fn new(addresses: Vec<IpAddr>) -> Result<Zone, ProtoError> {
        let mut name = Name::from_ascii(NAME)?;
        name.set_fqdn(true);
        let apex = name.base_name();
        Ok(Zone { name, apex, addresses, dns_answer: DnsAnswer::Address, answered: BTreeMap::new() })
    }

    pub fn answer_with(&mut self, dns_answer: DnsAnswer) {
        self.dns_answer = dns_answer;
    }

    /// Moves the name to other addresses. Ends [`DnsAnswer::OldAddress`]; a configured failure stays.
    pub fn set_addresses(&mut self, addresses: Vec<IpAddr>) {
        self.addresses = addresses;
        if self.dns_answer == DnsAnswer::OldAddress {
            self.dns_answer = DnsAnswer::Address;
        }
    }

    /// Returns the number of queries for the name that got this answer; of queries answered with addresses, only
    /// those for a type that has one.
    pub fn answered(&self, dns_answer: DnsAnswer) -> u64 {
        self.answered.get(&dns_answer).copied().unwrap_or(0)
    }

    /// Returns the answer to a message; `None` if it is not a query, or the configured answer is silence.
    pub fn answer(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let question = Message::from_vec(message).ok()?;
        if question.metadata.message_type != MessageType::Query {
            return None;
        }
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        // Stub resolvers skip a server that is neither recursive nor authoritative as lame.
        answer.metadata.recursion_available = true;
        answer.metadata.authoritative = true;
        answer.queries.clone_from(&question.queries);
        answer.edns = question.edns.is_some().then(Edns::new);
        match (question.metadata.op_code, question.queries.as_slice()) {
            (OpCode::Query, [query]) => self.fill_answer(query, &mut answer)?,
            (OpCode::Query, _) => answer.metadata.response_code = ResponseCode::FormErr,
            _ => answer.metadata.response_code = ResponseCode::NotImp,
        }
        answer.to_vec().ok()
    }

    /// Fills in the answer to one query, and counts it; `None`: send no answer.
    fn fill_answer(&mut self, query: &Query, answer: &mut Message) -> Option<()> {
        let is_our_name = *query.name() == self.name;
        let found = self.records(query);
        let tells = matches!(self.dns_answer, DnsAnswer::Address | DnsAnswer::OldAddress);
        if is_our_name && !(tells && found.is_empty()) {
            *self.answered.entry(self.dns_answer).or_default() += 1;
        }
        match self.dns_answer {
            DnsAnswer::Nothing => return None,
            DnsAnswer::Failure => answer.metadata.response_code = ResponseCode::ServFail,
            // The name exists, but has no address of that type.
            DnsAnswer::Address | DnsAnswer::OldAddress if is_our_name && found.is_empty() => {
                answer.authorities = vec![self.authority()];
            }
            DnsAnswer::Address | DnsAnswer::OldAddress if is_our_name => answer.answers = found,
            DnsAnswer::Address | DnsAnswer::OldAddress | DnsAnswer::NoName => {
                answer.metadata.response_code = ResponseCode::NXDomain;
                answer.authorities = vec![self.authority()];
            }
        }
        Some(())
    }

    /// Returns the addresses of the requested type, always in the configured order: scenarios depend on which is
    /// first.
    fn records(&self, query: &Query) -> Vec<Record> {
        let record = |address: &IpAddr| Record::from_rdata(query.name().clone(), TTL, RData::from(*address));
        let is_meant = |record: &Record| record.record_type() == query.query_type();
        self.addresses.iter().map(record).filter(is_meant).collect()
    }

    /// Returns the SOA record, which limits how long a negative answer is cached.
    ///
    /// *Source*: RFC 2308, section 3.
    fn authority(&self) -> Record {
        let ttl = TTL.cast_signed();
        let start = SOA::new(self.apex.clone(), self.apex.clone(), 1, ttl, ttl, ttl, TTL);
        Record::from_rdata(self.apex.clone(), TTL, RData::SOA(start))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hickory_proto::rr::RecordType;

    use super::*;

    const OLD: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 10);
    const NEW: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 11);

    fn zone() -> Zone {
        Zone::new(vec![OLD.into(), NEW.into()]).unwrap()
    }

    fn question(name: &str, kind: RecordType) -> Message {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message
    }

    fn ask(zone: &mut Zone, name: &str, kind: RecordType) -> Option<Message> {
        let answer = zone.answer(&question(name, kind).to_vec().unwrap())?;
        Some(Message::from_vec(&answer).unwrap())
    }

    fn addresses(answer: &Message) -> Vec<Ipv4Addr> {
        let address = |record: &Record| match &record.data {
            RData::A(address) => address.0,
            other => panic!("no address: {other:?}"),
        };
        answer.answers.iter().map(address).collect()
    }

    #[test]
    fn addresses_keep_their_order_with_a_ttl_of_one() {
        let mut zone = zone();
        for name in ["db.pgsquall.test.", "DB.pgSquall.TEST."] {
            let answer = ask(&mut zone, name, RecordType::A).unwrap();
            assert_eq!((answer.metadata.id, answer.metadata.response_code), (7, ResponseCode::NoError));
            assert!(answer.metadata.authoritative && answer.metadata.recursion_desired);
            assert_eq!(addresses(&answer), [OLD, NEW]);
            assert_eq!(answer.answers[0].ttl, 1);
            assert_eq!(answer.answers[0].name.to_string(), name, "in the case of the query");
        }
        assert_eq!(zone.answered(DnsAnswer::Address), 2);
    }

    #[test]
    fn other_record_types_and_names_have_no_address() {
        let mut zone = zone();
        let answer = ask(&mut zone, "db.pgsquall.test.", RecordType::AAAA).unwrap();
        assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::NoError, 0));
        for name in ["pgsquall.test.", "db.pgsquall.test.example.", "example.com."] {
            let answer = ask(&mut zone, name, RecordType::A).unwrap();
            assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::NXDomain, 0), "{name}");
            assert!(matches!(&answer.authorities[0].data, RData::SOA(start) if start.minimum == 1));
        }
        assert_eq!(zone.answered(DnsAnswer::Address), 0, "no query got an address");
    }

    #[test]
    fn configured_answers_are_given_and_counted() {
        let mut zone = zone();
        let expected = [(DnsAnswer::NoName, ResponseCode::NXDomain), (DnsAnswer::Failure, ResponseCode::ServFail)];
        for (dns_answer, code) in expected {
            zone.answer_with(dns_answer);
            for kind in [RecordType::A, RecordType::AAAA] {
                let answer = ask(&mut zone, "db.pgsquall.test.", kind).unwrap();
                assert_eq!((answer.metadata.response_code, answer.answers.len()), (code, 0));
            }
            assert_eq!(zone.answered(dns_answer), 2);
        }
        zone.answer_with(DnsAnswer::Nothing);
        assert!(ask(&mut zone, "db.pgsquall.test.", RecordType::A).is_none());
        assert!(ask(&mut zone, "example.com.", RecordType::A).is_none(), "a server that is silent is so to all");
        assert_eq!(zone.answered(DnsAnswer::Nothing), 1, "the name alone is counted");
        zone.answer_with(DnsAnswer::OldAddress);
        assert_eq!(addresses(&ask(&mut zone, "db.pgsquall.test.", RecordType::A).unwrap()), [OLD, NEW]);
        assert_eq!((zone.answered(DnsAnswer::OldAddress), zone.answered(DnsAnswer::Address)), (1, 0));
        zone.set_addresses(vec![NEW.into()]);
        assert_eq!(addresses(&ask(&mut zone, "db.pgsquall.test.", RecordType::A).unwrap()), [NEW]);
        assert_eq!(zone.answered(DnsAnswer::Address), 1);
    }

    #[test]
    fn messages_that_are_no_query_are_refused_or_ignored() {
        let mut zone = zone();
        assert_eq!(zone.answer(b"GET / HTTP/1.1\r\n"), None);
        assert_eq!(zone.answer(&[]), None);
        let answer = Message::response(7, OpCode::Query).to_vec().unwrap();
        assert_eq!(zone.answer(&answer), None, "two servers would talk for ever");
        let code = |message: &Message, zone: &mut Zone| {
            Message::from_vec(&zone.answer(&message.to_vec().unwrap()).unwrap()).unwrap().metadata.response_code
        };
        assert_eq!(code(&Message::new(7, MessageType::Query, OpCode::Query), &mut zone), ResponseCode::FormErr);
        assert_eq!(code(&Message::new(7, MessageType::Query, OpCode::Notify), &mut zone), ResponseCode::NotImp);
    }

    #[test]
    fn edns_queries_get_edns_answers() {
        let mut zone = zone();
        let mut question = question("db.pgsquall.test.", RecordType::A);
        question.set_edns(Edns::new());
        let answer = Message::from_vec(&zone.answer(&question.to_vec().unwrap()).unwrap()).unwrap();
        assert!(answer.edns.is_some());
        assert!(ask(&mut zone, "db.pgsquall.test.", RecordType::A).unwrap().edns.is_none());
    }
}

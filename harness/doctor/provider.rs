//! Whose server it is, guessed from the host's name, and what is documented of the way there.
//!
//! Only what has a source is claimed; what nobody has verified is called that. A provider whose devices stand in the
//! way of some customers and not of others is told as that.
//!
//! *Source*: with each of them.

use std::time::Duration;

use crate::model::fault::IdleDevice;

/// Somebody who runs servers for others, known by his hosts' names.
pub(super) struct Provider {
    pub name: &'static str,
    /// Ends of host names, each with its leading dot.
    suffixes: &'static [&'static str],
    /// What must stand elsewhere in the name too.
    holds: &'static str,
    pub passages: &'static [Passage],
}

/// Something on the way that ends what is idle.
pub(super) struct Passage {
    pub device: &'static str,
    /// `None` where no figure is verified.
    pub idle: Option<Duration>,
    /// What the ends of the connection notice.
    pub expiry: &'static str,
    /// Whether it stands in every way to such a host.
    pub always: bool,
    /// Whether TCP keepalive counts as activity; a device that counts queries is not impressed by it.
    pub keepalive_counts: bool,
    pub source: &'static str,
}

impl Passage {
    /// A device of which everything is known.
    const fn known(device: IdleDevice, always: bool) -> Passage {
        let IdleDevice { name, after, expiry, keepalive_counts, source, .. } = device;
        Passage { device: name, idle: Some(after), expiry, always, keepalive_counts, source }
    }
}

const AWS_NLB: Passage = Passage::known(IdleDevice::AWS_NLB, false);

const AWS_TRACKING: Passage = Passage {
    device: "security-group tracking of an instance on Nitro v6",
    idle: Some(Duration::from_secs(350)),
    expiry: "not verified",
    always: false,
    keepalive_counts: true,
    source: "AWS EC2, ConnectionTrackingConfiguration: 350 s on Nitro v6, 432000 s on other instances",
};

const AWS_NAT: Passage = Passage {
    device: "an AWS NAT gateway",
    idle: None,
    expiry: "RST to whoever sends next",
    always: false,
    keepalive_counts: true,
    source: "AWS, NAT gateways, \"Troubleshoot\"; its figure is not verified",
};

const AZURE_BALANCER: Passage = Passage::known(IdleDevice::AZURE_LB, false);

const AZURE_NAT: Passage = Passage::known(IdleDevice::AZURE_NAT, false);

const RDS_PROXY: Passage = Passage::known(IdleDevice::RDS_PROXY, true);

const SUPAVISOR: Passage = Passage {
    device: "Supavisor",
    idle: None,
    expiry: "none: client_idle_timeout is off by default, and an idle client gets a heartbeat every 60 s",
    always: true,
    keepalive_counts: false,
    source: "supabase/supavisor, its source",
};

const KUBE_PROXY_IPVS: Passage = Passage {
    device: "kube-proxy in IPVS mode",
    idle: Some(Duration::from_secs(900)),
    expiry: "not verified",
    always: false,
    keepalive_counts: true,
    source: "Linux IPVS: 15 min unless --ipvs-tcp-timeout says otherwise; kube-proxy with iptables: 24 h",
};

/// More particular names come first.
const PROVIDERS: &[Provider] = &[
    Provider {
        name: "Amazon RDS Proxy",
        suffixes: &[".rds.amazonaws.com", ".rds.amazonaws.com.cn"],
        holds: ".proxy-",
        passages: &[RDS_PROXY],
    },
    Provider {
        name: "Amazon RDS or Aurora",
        suffixes: &[".rds.amazonaws.com", ".rds.amazonaws.com.cn"],
        holds: "",
        passages: &[AWS_TRACKING, AWS_NLB, AWS_NAT],
    },
    Provider {
        name: "an AWS Network Load Balancer",
        suffixes: &[".amazonaws.com"],
        holds: ".elb.",
        passages: &[Passage { always: true, ..AWS_NLB }],
    },
    Provider {
        name: "a host on Amazon EC2 (Heroku Postgres among others)",
        suffixes: &[".compute.amazonaws.com", ".compute-1.amazonaws.com"],
        holds: "",
        passages: &[AWS_TRACKING, AWS_NAT],
    },
    Provider {
        name: "Azure Database for PostgreSQL",
        suffixes: &[".postgres.database.azure.com", ".postgres.cosmos.azure.com"],
        holds: "",
        passages: &[AZURE_BALANCER, AZURE_NAT],
    },
    Provider {
        name: "Supabase, through its pooler",
        suffixes: &[".pooler.supabase.com"],
        holds: "",
        passages: &[SUPAVISOR],
    },
    Provider { name: "Supabase", suffixes: &[".supabase.co", ".supabase.com"], holds: "", passages: &[] },
    Provider { name: "Neon", suffixes: &[".neon.tech"], holds: "", passages: &[] },
    Provider {
        name: "a Kubernetes service",
        suffixes: &[".svc", ".svc.cluster.local"],
        holds: "",
        passages: &[KUBE_PROXY_IPVS],
    },
];

/// Whose host this is; `None` where the name says nothing, as with every address.
pub(super) fn of_host(host: &str) -> Option<&'static Provider> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    PROVIDERS
        .iter()
        .find(|provider| provider.suffixes.iter().any(|suffix| host.ends_with(suffix)) && host.contains(provider.holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_whose_it_is() {
        for (host, name) in [
            ("db.cxyz.eu-west-1.rds.amazonaws.com", Some("Amazon RDS or Aurora")),
            ("DB.CXYZ.EU-WEST-1.RDS.AMAZONAWS.COM.", Some("Amazon RDS or Aurora")),
            ("p.proxy-cxyz.eu-west-1.rds.amazonaws.com", Some("Amazon RDS Proxy")),
            ("pg-1234.elb.eu-west-1.amazonaws.com", Some("an AWS Network Load Balancer")),
            ("ec2-1-2-3-4.compute-1.amazonaws.com", Some("a host on Amazon EC2 (Heroku Postgres among others)")),
            ("x.postgres.database.azure.com", Some("Azure Database for PostgreSQL")),
            ("c-x.1234.postgres.cosmos.azure.com", Some("Azure Database for PostgreSQL")),
            ("aws-0-eu-central-1.pooler.supabase.com", Some("Supabase, through its pooler")),
            ("db.abc.supabase.co", Some("Supabase")),
            ("ep-1.eu-central-1.aws.neon.tech", Some("Neon")),
            ("pg.default.svc.cluster.local", Some("a Kubernetes service")),
            // The end of a name counts, not a part of it.
            ("x.rds.amazonaws.com.example.org", None),
            ("notneon.tech", None),
            ("10.0.0.1", None),
            ("localhost", None),
        ] {
            assert_eq!(of_host(host).map(|provider| provider.name), name, "{host}");
        }
    }

    #[test]
    fn only_a_verified_figure_is_a_figure() {
        let nat = PROVIDERS.iter().flat_map(|provider| provider.passages).find(|found| found.device == AWS_NAT.device);
        assert_eq!(nat.unwrap().idle, None);
    }
}

//! The table of providers, recognised by the host's name, and the idle timeouts of devices on the path to them.
//!
//! Every device has its source. If no figure is verified, `idle` is `None`; if the device is on the path of only some
//! customers, `always` is false.

use std::time::Duration;

use crate::model::fault::IdleDevice;

/// A hosting provider, recognised by its host names.
pub(super) struct Provider {
    pub name: &'static str,
    /// Host name suffixes, each with its leading dot.
    suffixes: &'static [&'static str],
    /// A text that the name must also contain.
    contained: &'static str,
    pub devices: &'static [PathDevice],
}

/// A device on the path that ends idle connections.
pub(super) struct PathDevice {
    pub device: &'static str,
    /// `None` if no figure is verified.
    pub idle: Option<Duration>,
    /// The effect of expiry on both ends of the connection.
    pub expiry: &'static str,
    /// Whether the device is on every path to such a host.
    pub always: bool,
    /// Whether TCP keepalive counts as activity; false for a device that counts only queries.
    pub keepalive_counts: bool,
    pub source: &'static str,
}

impl PathDevice {
    /// A device with verified figures.
    const fn known(device: IdleDevice, always: bool) -> PathDevice {
        let IdleDevice { name, after, expiry, keepalive_counts, source, .. } = device;
        PathDevice { device: name, idle: Some(after), expiry, always, keepalive_counts, source }
    }
}

const AWS_NLB: PathDevice = PathDevice::known(IdleDevice::AWS_NLB, false);

const AWS_TRACKING: PathDevice = PathDevice {
    device: "security-group tracking of an instance on Nitro v6",
    idle: Some(Duration::from_secs(350)),
    expiry: "not verified",
    always: false,
    keepalive_counts: true,
    source: "AWS EC2, ConnectionTrackingConfiguration: 350 s on Nitro v6, 432000 s on other instances",
};

const AWS_NAT: PathDevice = PathDevice {
    device: "an AWS NAT gateway",
    idle: None,
    expiry: "RST to the next sender",
    always: false,
    keepalive_counts: true,
    source: "AWS, NAT gateways, \"Troubleshoot\"; its figure is not verified",
};

const AZURE_BALANCER: PathDevice = PathDevice::known(IdleDevice::AZURE_LB, false);

const AZURE_NAT: PathDevice = PathDevice::known(IdleDevice::AZURE_NAT, false);

const RDS_PROXY: PathDevice = PathDevice::known(IdleDevice::RDS_PROXY, true);

const SUPAVISOR: PathDevice = PathDevice {
    device: "Supavisor",
    idle: None,
    expiry: "none: client_idle_timeout is off by default, and an idle client gets a heartbeat every 60 s",
    always: true,
    keepalive_counts: false,
    source: "supabase/supavisor, its source",
};

const KUBE_PROXY_IPVS: PathDevice = PathDevice {
    device: "kube-proxy in IPVS mode",
    idle: Some(Duration::from_secs(900)),
    expiry: "not verified",
    always: false,
    keepalive_counts: true,
    source: "Linux IPVS: 15 min unless --ipvs-tcp-timeout says otherwise; kube-proxy with iptables: 24 h",
};

/// The providers, more specific names first.
const PROVIDERS: &[Provider] = &[
    Provider {
        name: "Amazon RDS Proxy",
        suffixes: &[".rds.amazonaws.com", ".rds.amazonaws.com.cn"],
        contained: ".proxy-",
        devices: &[RDS_PROXY],
    },
    Provider {
        name: "Amazon RDS or Aurora",
        suffixes: &[".rds.amazonaws.com", ".rds.amazonaws.com.cn"],
        contained: "",
        devices: &[AWS_TRACKING, AWS_NLB, AWS_NAT],
    },
    Provider {
        name: "an AWS Network Load Balancer",
        suffixes: &[".amazonaws.com"],
        contained: ".elb.",
        devices: &[PathDevice { always: true, ..AWS_NLB }],
    },
    Provider {
        name: "a host on Amazon EC2 (Heroku Postgres among others)",
        suffixes: &[".compute.amazonaws.com", ".compute-1.amazonaws.com"],
        contained: "",
        devices: &[AWS_TRACKING, AWS_NAT],
    },
    Provider {
        name: "Azure Database for PostgreSQL",
        suffixes: &[".postgres.database.azure.com", ".postgres.cosmos.azure.com"],
        contained: "",
        devices: &[AZURE_BALANCER, AZURE_NAT],
    },
    Provider {
        name: "Supabase, through its pooler",
        suffixes: &[".pooler.supabase.com"],
        contained: "",
        devices: &[SUPAVISOR],
    },
    Provider { name: "Supabase", suffixes: &[".supabase.co", ".supabase.com"], contained: "", devices: &[] },
    Provider { name: "Neon", suffixes: &[".neon.tech"], contained: "", devices: &[] },
    Provider {
        name: "a Kubernetes service",
        suffixes: &[".svc", ".svc.cluster.local"],
        contained: "",
        devices: &[KUBE_PROXY_IPVS],
    },
];

/// The provider of a host; `None` if the name matches none, as for every address.
pub(super) fn by_host(host: &str) -> Option<&'static Provider> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    PROVIDERS.iter().find(|provider| {
        provider.suffixes.iter().any(|suffix| host.ends_with(suffix)) && host.contains(provider.contained)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_recognised_by_host_name() {
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
            // The suffix must match, not a part of the name.
            ("x.rds.amazonaws.com.example.org", None),
            ("notneon.tech", None),
            ("10.0.0.1", None),
            ("localhost", None),
        ] {
            assert_eq!(by_host(host).map(|provider| provider.name), name, "{host}");
        }
    }

    #[test]
    fn unverified_figures_are_left_out() {
        let nat = PROVIDERS.iter().flat_map(|provider| provider.devices).find(|found| found.device == AWS_NAT.device);
        assert_eq!(nat.unwrap().idle, None);
    }
}

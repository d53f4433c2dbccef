//! Devices that end idle connections, with their documented behaviour. Plain data.
//!
//! Only devices whose idle timeout and way of ending connections are documented are listed here; `doctor/provider`
//! describes the others as far as they are documented.
//!
//! *Source*: the field `source` of each device.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::FaultKind;

/// How a device ends a connection that has been idle for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleStyle {
    /// It drops its state of the connection, and then silently drops the connection's packets.
    Silent,
    /// It drops its state of the connection, and answers the next packet with an RST.
    Reset,
    /// It closes the connection on both sides (FIN).
    Close,
}

/// A device in the path that ends idle connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleDevice {
    /// The word in scenario files and on the command line.
    pub word: &'static str,
    pub name: &'static str,
    /// Its default idle timeout.
    pub after: Duration,
    pub style: IdleStyle,
    /// What client and server receive when the connection expires, in words.
    pub expiry: &'static str,
    /// Whether TCP keepalive probes count as activity; a proxy does not see them, because its kernel answers them.
    pub keepalive_counts: bool,
    pub source: &'static str,
}

/// A device that replaces the scenario's own (`--device`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct DeviceAsked {
    /// The word of the device, as `--device` takes it.
    pub device: String,
    /// The divisor of its idle timeout.
    pub scale: u32,
}

/// The divisor of idle timeouts, unless `--scale` sets another.
pub const USUAL_SCALE: u32 = 100;

/// The largest divisor that makes sense: a day becomes a second.
pub const LARGEST_SCALE: u32 = 86_400;

impl IdleDevice {
    pub const AWS_NLB: IdleDevice = IdleDevice {
        word: "aws-nlb",
        name: "an AWS Network Load Balancer",
        after: Duration::from_secs(350),
        style: IdleStyle::Reset,
        expiry: "silent; RST to the side that sends next",
        keepalive_counts: true,
        source: "AWS, Network Load Balancers, \"Update the TCP idle timeout\": 350 s unless configured (60 to 6000 s)",
    };

    pub const AZURE_LB: IdleDevice = IdleDevice {
        word: "azure-lb",
        name: "an Azure Load Balancer",
        after: Duration::from_secs(240),
        style: IdleStyle::Silent,
        expiry: "silent, unless TCP reset is switched on",
        keepalive_counts: true,
        source: "Azure, Load Balancer, \"TCP reset and idle timeout\": 4 min unless configured (4 to 100 min)",
    };

    pub const AZURE_NAT: IdleDevice = IdleDevice {
        word: "azure-nat",
        name: "an Azure NAT gateway",
        after: Duration::from_secs(240),
        style: IdleStyle::Reset,
        expiry: "RST to the side that sends next",
        keepalive_counts: true,
        source: "Azure, \"NAT gateway resource\": 4 min unless configured (4 to 120 min)",
    };

    pub const GCP_FIREWALL: IdleDevice = IdleDevice {
        word: "gcp-firewall",
        name: "the connection tracking of a Google Cloud VPC firewall",
        after: Duration::from_secs(600),
        style: IdleStyle::Silent,
        expiry: "silent: later packets meet the rules, the implied deny among them",
        keepalive_counts: true,
        source: "Google Cloud, VPC firewall rules, connection tracking: 10 min (quoted in gitlab-org/charts/gitlab#2519)",
    };

    pub const NGINX: IdleDevice = IdleDevice {
        word: "nginx",
        name: "nginx, stream proxy",
        after: Duration::from_secs(600),
        style: IdleStyle::Close,
        expiry: "the proxy closes it",
        keepalive_counts: false,
        source: "nginx, ngx_stream_proxy_module, proxy_timeout: 10 min",
    };

    pub const ENVOY: IdleDevice = IdleDevice {
        word: "envoy",
        name: "Envoy, tcp_proxy",
        after: Duration::from_secs(3_600),
        style: IdleStyle::Close,
        expiry: "the proxy closes it",
        keepalive_counts: false,
        source: "Envoy, FAQ, \"How do I configure timeouts?\": 1 h without upstream or downstream activity",
    };

    pub const RDS_PROXY: IdleDevice = IdleDevice {
        word: "rds-proxy",
        name: "RDS Proxy",
        after: Duration::from_secs(1_800),
        style: IdleStyle::Close,
        expiry: "the proxy closes it",
        keepalive_counts: false,
        source: "AWS, RDS Proxy, \"IdleClientTimeout\": 1800 s unless configured; it counts requests",
    };

    /// Every device, by its word.
    pub const ALL: [(&str, IdleDevice); 7] = [
        (IdleDevice::AWS_NLB.word, IdleDevice::AWS_NLB),
        (IdleDevice::AZURE_LB.word, IdleDevice::AZURE_LB),
        (IdleDevice::AZURE_NAT.word, IdleDevice::AZURE_NAT),
        (IdleDevice::GCP_FIREWALL.word, IdleDevice::GCP_FIREWALL),
        (IdleDevice::NGINX.word, IdleDevice::NGINX),
        (IdleDevice::ENVOY.word, IdleDevice::ENVOY),
        (IdleDevice::RDS_PROXY.word, IdleDevice::RDS_PROXY),
    ];

    /// Its idle time divided by `scale`, in whole seconds: rounded up, and at least one.
    pub fn scaled(&self, scale: u32) -> Duration {
        Duration::from_secs(self.after.as_secs().div_ceil(u64::from(scale.max(1))).max(1))
    }

    /// The fault that acts like the device, with its idle timeout divided by `scale`.
    pub fn fault(&self, scale: u32) -> FaultKind {
        let after = self.scaled(scale);
        match self.style {
            IdleStyle::Silent => FaultKind::IdleDrop { after },
            IdleStyle::Reset => FaultKind::IdleReset { after },
            IdleStyle::Close => FaultKind::IdleClose { after },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaled_times_are_whole_seconds_and_at_least_one() {
        let seconds = |device: IdleDevice, scale| device.scaled(scale).as_secs();
        assert_eq!(seconds(IdleDevice::AZURE_LB, 1), 240);
        assert_eq!(seconds(IdleDevice::AZURE_LB, USUAL_SCALE), 3, "2.4 s is rounded up");
        assert_eq!(seconds(IdleDevice::ENVOY, USUAL_SCALE), 36);
        assert_eq!(seconds(IdleDevice::AWS_NLB, LARGEST_SCALE), 1);
    }

    #[test]
    fn a_device_is_as_it_is_documented() {
        let fault = |word: &str| {
            let (_, device) = IdleDevice::ALL.into_iter().find(|(known, _)| *known == word).unwrap();
            device.fault(USUAL_SCALE).to_string()
        };
        assert_eq!(fault("aws-nlb"), "idle-reset (4s)");
        assert_eq!(fault("azure-lb"), "idle-drop (3s)");
        assert_eq!(fault("rds-proxy"), "idle-close (18s)");
        // A device that terminates TCP closes connections.
        assert!(
            IdleDevice::ALL.iter().all(|(_, device)| device.keepalive_counts == (device.style != IdleStyle::Close))
        );
    }
}

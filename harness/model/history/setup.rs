//! The scenario, the client and the conditions of one run.

use serde::{Deserialize, Serialize};

use super::Application;
use crate::model::fault::DeviceAsked;
use crate::model::plane::Plane;
use crate::model::seed::Seed;

/// What a run was started with. The header of a history and the verdict both contain it, in JSON among their own fields; the
/// command that repeats the run is made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct RunSetup {
    /// The scenario as `pgsquall run` takes it: a name, or the path of a file.
    pub scenario: String,
    /// The client's name, as `pgsquall run --client` takes it; that of an application is its command line.
    pub client: String,
    /// The settings of an application beyond its command line; absent for other clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Application>,
    /// The plane that injected the faults.
    #[serde(default)]
    pub plane: Plane,
    /// Whether the user required that plane.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plane_asked: bool,
    /// The device that replaces the scenario's own (`--device`); absent if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceAsked>,
    /// Whether a supervisor restarts the client after an exit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub supervised: bool,
    /// The seed of the whole run.
    pub seed: Seed,
    /// The number of this repeat (`--repeat`), from 0.
    pub repeat: u32,
    /// The number of repeats over which the moment of the fault is swept.
    pub repeats: u32,
}

impl RunSetup {
    /// The only run of a scenario with a client, on the default plane.
    pub fn new(scenario: impl Into<String>, client: impl Into<String>, seed: Seed) -> RunSetup {
        RunSetup {
            scenario: scenario.into(),
            client: client.into(),
            application: None,
            plane: Plane::default(),
            plane_asked: false,
            device: None,
            supervised: false,
            seed,
            repeat: 0,
            repeats: 1,
        }
    }
}

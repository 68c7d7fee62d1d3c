//! Generated topologies and scripts are answered as Kafka Streams answers them. `make conformance` asks Kafka Streams
//! itself; its answers to some hundred cases are recorded beside this file, by `make conformance-record`.

mod build;
mod case;
mod compare;
mod documented;
mod documented_cases;
mod folds;
mod functions;
mod generate;
mod kinds;
mod live;
mod node;
mod oracle;
mod processors;
mod reads;
mod recorded;
mod report;
mod rules;
mod run;
mod shrink;
mod stores;
mod tables;

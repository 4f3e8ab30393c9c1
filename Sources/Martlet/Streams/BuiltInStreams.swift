import MartletDetectors
import MartletModel
import MartletQuery
import MartletStream

/// Makes detectors and alerts.
struct BuiltInStreams: StreamTaskFactory {
    let detectors: DetectorRegistry

    func task(_ definition: StreamDefinition, _ host: StreamContext) throws(MartletError) -> any StreamTask {
        switch definition {
        case .detector(let detector): return try DetectorTask(detector, host, registry: detectors)
        case .alert, .continuousQuery:
            throw MartletError(.unsupported, "a \(definition.kind.rawValue) is not run here")
        }
    }
}

import MartletDetectors
import MartletModel
import MartletQuery
import MartletStream

/// Makes continuous queries, detectors and alerts.
struct BuiltInStreams: StreamTaskFactory {
    let detectors: DetectorRegistry
    let dispatcher: AlertDispatcher
    private let pool = DetectorReadsPool()

    init(detectors: DetectorRegistry, dispatcher: AlertDispatcher) {
        self.detectors = detectors
        self.dispatcher = dispatcher
    }

    func task(_ definition: StreamDefinition, _ host: StreamContext) throws(MartletError) -> any StreamTask {
        switch definition {
        case .detector(let detector): return try DetectorTask(detector, host, registry: detectors, pool: pool)
        case .alert(let alert): return try AlertTask(alert, host, dispatcher: dispatcher)
        case .continuousQuery(let query): return try ContinuousQueryTask(query, host)
        }
    }
}

import Foundation
import MartletDetectors

// Measures the detectors, and lends them to the comparisons with others' of the same kind.
let usage = """
    usage: MartletDetectorBench quality [SEEDS [METHOD ...]]
           MartletDetectorBench forest TRAINING.csv ROWS.csv [SEED]
           MartletDetectorBench tree TREE.csv ROWS.csv SAMPLES
           MartletDetectorBench displacement SAMPLE.csv ROWS.csv TREES
           MartletDetectorBench raw METHOD PARAMETERS ROWS.csv
    """
let arguments = Array(CommandLine.arguments.dropFirst())
do {
    switch arguments.first {
    case "quality" where arguments.count < 2 || Int(arguments[1]) != nil:
        let methods = Array(arguments.dropFirst(2))
        try QualityCommand(
            seeds: arguments.count > 1 ? Int(arguments[1]) ?? 5 : 5,
            methods: methods.isEmpty ? DetectorRegistry.builtIn.names : methods
        ).run()
    case "forest" where arguments.count >= 3:
        try ForestCommand.train(
            arguments[1], arguments[2], seed: arguments.count > 3 ? Int(arguments[3]) ?? 0 : 0)
    case "tree" where arguments.count == 4 && Int(arguments[3]) != nil:
        try ForestCommand.score(tree: arguments[1], arguments[2], samples: Int(arguments[3]) ?? 0)
    case "displacement" where arguments.count == 4 && Int(arguments[3]) != nil:
        try ForestCommand.displace(arguments[1], arguments[2], trees: Int(arguments[3]) ?? 1)
    case "raw" where arguments.count == 4:
        try RawCommand.run(arguments[1], arguments[2], arguments[3])
    default:
        FileHandle.standardError.write(Data((usage + "\n").utf8))
        exit(64)
    }
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}

import Foundation
import MartletDetectors
import MartletModel

// Measures the detectors, and lends them to the comparisons with others' of the same kind.
let usage = """
    usage: MartletDetectorBench quality [SEEDS [METHOD ...] [kind=KIND ...] [seed=FIRST]]
           MartletDetectorBench forest TRAINING.csv ROWS.csv [SEED]
           MartletDetectorBench tree TREE.csv ROWS.csv SAMPLES
           MartletDetectorBench displacement SAMPLE.csv ROWS.csv TREES
           MartletDetectorBench speed
           MartletDetectorBench plots DIRECTORY
           MartletDetectorBench labelled FILE.csv PROBATION_ROWS SECONDS_A_ROW [METHOD ...]
           MartletDetectorBench raw METHOD PARAMETERS ROWS.csv
    """
let arguments = Array(CommandLine.arguments.dropFirst())
do {
    switch arguments.first {
    case "quality" where arguments.count < 2 || Int(arguments[1]) != nil:
        try QualityCommand(
            seeds: arguments.count > 1 ? Int(arguments[1]) ?? 5 : 5, Array(arguments.dropFirst(2))
        ).run()
    case "forest" where arguments.count >= 3:
        try ForestCommand.train(
            arguments[1], arguments[2], seed: arguments.count > 3 ? Int(arguments[3]) ?? 0 : 0)
    case "tree" where arguments.count == 4 && Int(arguments[3]) != nil:
        try ForestCommand.score(tree: arguments[1], arguments[2], samples: Int(arguments[3]) ?? 0)
    case "displacement" where arguments.count == 4 && Int(arguments[3]) != nil:
        try ForestCommand.displace(arguments[1], arguments[2], trees: Int(arguments[3]) ?? 1)
    case "speed" where arguments.count == 1: try SpeedCommand.run()
    case "plots" where arguments.count == 2: try PlotCommand(directory: arguments[1]).run()
    case "labelled" where arguments.count >= 4:
        guard let probation = Int(arguments[2]), probation > 0, let spacing = Double(arguments[3]), spacing > 0 else {
            throw MartletError(.invalidArgument, "the rows of the probation and the seconds a row are positive numbers")
        }
        try LabelledCommand.run(arguments[1], probation: probation, spacing: spacing, Array(arguments.dropFirst(4)))
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

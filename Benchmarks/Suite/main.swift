import Foundation
import Martlet

do {
    let options = try Options(CommandLine.arguments.dropFirst())
    switch options.command {
    case .generate: try GenerateCommand.run(options)
    case .streams: try StreamsCommand.run(options)
    case .suite: try SuiteCommand.run(options)
    }
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(2)
}

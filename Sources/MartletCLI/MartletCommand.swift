import ArgumentParser

@main
struct MartletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "martlet", abstract: "The Martlet time-series engine.")
}

import ArgumentParser
import MartletModel
import MartletStorage

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Verify every checksum of a data directory, and mend it.",
        discussion: """
            Reads everything and names what is damaged: the file, the place, the table and the times concerned. \
            --repair sets damaged files aside in the directory's `quarantine` folder, unchanged, and keeps every row \
            that can still be read; no process may have the directory open for writing meanwhile.

            Exit status: 0 the directory is sound, or was mended without a loss; 1 the check itself failed; 5 there is \
            damage, or --repair could not bring everything back.
            """)

    @Argument(help: "The data directory.", completion: .directory)
    var directory: String

    @Flag(name: .long, help: "Set damaged parts aside and keep the rest.")
    var repair = false

    func run() async throws {
        let isWhole: Bool
        do throws(MartletError) {
            if repair {
                let report = try StorageRepair.repair(at: directory)
                Terminal.write(Self.describe(report))
                isWhole = report.losses.isEmpty
            } else {
                let report = try StorageCheck.check(at: directory)
                Terminal.write(Self.describe(report))
                isWhole = report.isSound
            }
        } catch {
            throw CommandFailure(error)
        }
        if !isWhole { throw ExitCode(ExitStatus.damaged.rawValue) }
    }

    static func describe(_ report: CheckReport) -> String {
        var text = ""
        for note in report.notes { text += "note: \(note)\n" }
        for damage in report.damage { text += "damaged: \(damage)\n" }
        text += "checked \(count(report.namespaces, "namespace")), \(count(report.segments, "segment")), "
        text += "\(count(report.layers, "layer")), \(count(report.blocks, "block")), \(count(report.rows, "row")), "
        text += "\(Figures.bytes(Int(report.bytes))): "
        return text + (report.isSound ? "sound\n" : "\(count(report.damage.count, "damaged part"))\n")
    }

    static func describe(_ report: RepairReport) -> String {
        var text = describe(report.check)
        for path in report.quarantined { text += "set aside: \(path)\n" }
        for loss in report.losses { text += "lost: \(loss)\n" }
        if !report.check.isSound && report.losses.isEmpty { text += "mended without a loss\n" }
        return text
    }

    private static func count(_ number: Int, _ noun: String) -> String {
        "\(Figures.grouped(number)) \(noun)\(number == 1 ? "" : "s")"
    }
}

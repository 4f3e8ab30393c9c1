import ArgumentParser
import Foundation
import Martlet
import MartletAlerting
import MartletModel
import MartletQuery

struct RulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Check, test and apply files of alert rules.",
        discussion: "Rule files have Prometheus' layout, with `sql` in the place of `expr`: docs/streams.md.",
        subcommands: [Check.self, Test.self, Apply.self])

    /// The rules of files; an error names the file, the line and the column.
    static func rules(of files: [String]) throws -> [(file: String, rules: [FileRule])] {
        try files.map { file in
            let rules = try RuleFile(try text(of: file), name: file).rules
            // What the statement that makes the rule would refuse is refused here.
            for rule in rules {
                do throws(MartletError) { _ = try StreamDefinition(statement: rule.statement) } catch {
                    throw CommandFailure("\(file): line \(rule.line): the rule '\(rule.rule.name)': \(error)")
                }
            }
            return (file, rules)
        }
    }

    static func text(of file: String) throws -> String {
        do { return try String(contentsOfFile: file, encoding: .utf8) } catch {
            throw CommandFailure("cannot read \(file): \(error.localizedDescription)", status: .usage)
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read rule files and say whether they are right.",
            discussion: "Exit status: 0 they are; 1 one is not; 2 one cannot be read.")

        @Argument(help: "Rule files.", completion: .file())
        var files: [String]

        func run() async throws {
            for (file, rules) in try RulesCommand.rules(of: files) {
                Terminal.write("\(file): \(rules.count) \(rules.count == 1 ? "rule" : "rules"), all right\n")
            }
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run unit tests of rules: input series, evaluation times, expected alerts.",
            discussion: """
                Test files have promtool's layout; paths of rule files are relative to the test file. Exit status: 0 all \
                tests pass; 1 one fails; 2 a file cannot be read.
                """)

        @Argument(help: "Test files.", completion: .file())
        var files: [String]

        func run() async throws {
            var failed = 0
            for file in files { failed += try test(file) }
            if failed > 0 { throw ExitCode(1) }
        }

        private func test(_ file: String) throws -> Int {
            let tests = try RuleTestFile(try RulesCommand.text(of: file), name: file)
            let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
            let paths = tests.ruleFiles.map {
                $0.hasPrefix("/") ? $0 : folder.appendingPathComponent($0).path
            }
            let rules = try RulesCommand.rules(of: paths).flatMap(\.rules)
            let scratch = FileManager.default.temporaryDirectory
                .appendingPathComponent("martlet-rules-\(UUID().uuidString)").path
            defer { try? FileManager.default.removeItem(atPath: scratch) }
            var options = Database.Options()
            options.durability = .none
            options.retentionInterval = nil
            let database = try Database.open(at: scratch, options: options)
            let tester = RuleTester(database, rules: rules)
            var failed = 0
            for (number, test) in tests.tests.enumerated() {
                let failures = try tester.run(
                    test, evaluationInterval: tests.evaluationInterval, number: number)
                Terminal.write("\(failures.isEmpty ? "ok    " : "FAILED") \(file): \(test.name)\n")
                for failure in failures { Terminal.write("  line \(failure.line): \(failure.message)\n") }
                if !failures.isEmpty { failed += 1 }
            }
            try database.close()
            return failed
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the alerts of rule files in a namespace, or change those that are there.",
            discussion: """
                Each rule becomes CREATE OR REPLACE ALERT. A rule that is there already with the same definition is left \
                alone, with its state. Exit status: 0 done; 1 a rule was refused; 2 a file cannot be read; 3 the daemon \
                does not answer.
                """)

        @Argument(help: "Rule files.", completion: .file())
        var files: [String]

        @OptionGroup var connection: ConnectionOptions

        @Flag(name: .long, help: "Print the statements instead.")
        var print = false

        func run() async throws {
            let all = try RulesCommand.rules(of: files)
            if print {
                for (_, rules) in all { for rule in rules { Terminal.write(rule.statement + ";\n") } }
                return
            }
            let target = try await connection.open(making: true)
            do throws(MartletError) {
                var present: [String: String] = [:]
                for row in try await rows(target, "SHOW ALERTS") {
                    if case .string(let name)? = row[0], case .string(let text)? = row[10] { present[name] = text }
                }
                for (file, rules) in all {
                    var changed = 0
                    for rule in rules where rule.isEnabled && present[rule.rule.name] != rule.statement {
                        _ = try await rows(target, rule.statement)
                        changed += 1
                    }
                    Terminal.write("\(file): \(changed) of \(rules.count) rules made or changed\n")
                }
                try await target.close()
            } catch {
                throw CommandFailure(error)
            }
        }

        private func rows(_ target: any StatementTarget, _ sql: String) async throws(MartletError) -> [[FieldValue?]] {
            let result = try await target.run(sql, namespace: connection.namespace)
            var rows: [[FieldValue?]] = []
            while let batch = try await result.next() { for row in 0..<batch.rowCount { rows.append(batch.row(row)) } }
            return rows
        }
    }
}

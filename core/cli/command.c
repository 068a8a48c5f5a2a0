/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include <string.h>

#define ANY_NUMBER 1000000

const struct hf_flag hf_flags[HF_FLAG_ID_COUNT] = {
    [HF_FLAG_CONFIG] = {"config", 'c', true, false, HF_FLAG_FOLDER, "DIR", NULL,
                        "folder with holdfast.ini and conf.d instead of /etc/holdfast"},
    [HF_FLAG_JSON] = {"json", 0, true, false, HF_FLAG_SWITCH, NULL, NULL,
                      "print one JSON document on standard output instead of text"},
    [HF_FLAG_QUIET] = {"quiet", 'q', true, false, HF_FLAG_SWITCH, NULL, NULL,
                       "say nothing but errors, warnings and what was asked for; no progress"},
    [HF_FLAG_VERBOSE] = {"verbose", 'v', true, false, HF_FLAG_SWITCH, NULL, NULL,
                         "tell more, and leave nothing out of long lists"},
    [HF_FLAG_PROGRESS] = {"progress", 0, true, false, HF_FLAG_SWITCH, NULL, NULL,
                          "report progress even when standard error is no terminal, as a line every 10 seconds"},
    [HF_FLAG_NO_PROGRESS] = {"no-progress", 0, true, false, HF_FLAG_SWITCH, NULL, NULL, "show no progress line"},
    [HF_FLAG_HELP] = {"help", 'h', true, false, HF_FLAG_SWITCH, NULL, NULL, "explain the command and exit"},
    [HF_FLAG_VERSION] = {"version", 0, true, false, HF_FLAG_SWITCH, NULL, NULL, "print the version and exit"},
    [HF_FLAG_ALL] = {"all", 'a', false, false, HF_FLAG_SWITCH, NULL, NULL, NULL},
    [HF_FLAG_DRY_RUN] = {"dry-run", 'n', false, false, HF_FLAG_SWITCH, NULL, NULL, NULL},
    [HF_FLAG_LEVEL] = {"level", 0, false, false, HF_FLAG_CHOICE, "LEVEL", "none|quick|digest|content", NULL},
    [HF_FLAG_SINK] = {"sink", 0, false, false, HF_FLAG_TEXT, "NAME", NULL, NULL},
    [HF_FLAG_AT] = {"at", 0, false, false, HF_FLAG_TIME, "TIME", NULL, NULL},
    [HF_FLAG_TO] = {"to", 0, false, false, HF_FLAG_PLACE, "PLACE", NULL, NULL},
    [HF_FLAG_FROM] = {"from", 0, false, false, HF_FLAG_TEXT, "SINK", NULL, NULL},
    [HF_FLAG_ONLY] = {"only", 0, false, true, HF_FLAG_TEXT, "NAME", NULL, NULL},
    [HF_FLAG_REPLACE] = {"replace", 0, false, false, HF_FLAG_SWITCH, NULL, NULL, NULL},
    [HF_FLAG_JOBS] = {"jobs", 'j', false, false, HF_FLAG_NUMBER, "N", NULL, NULL},
    [HF_FLAG_ARTIFACT] = {"artifact", 0, false, false, HF_FLAG_FILE, "FILE", NULL, NULL},
    [HF_FLAG_SOURCE] = {"source", 0, false, false, HF_FLAG_TEXT, "PLUGIN", NULL, NULL},
    [HF_FLAG_OUT] = {"out", 0, false, false, HF_FLAG_FILE, "FILE", NULL, NULL},
    [HF_FLAG_STAGE] = {"stage", 0, false, false, HF_FLAG_TEXT, "PLUGIN", NULL, NULL},
    [HF_FLAG_WITH] = {"with", 0, false, true, HF_FLAG_PAIR, "KEY[=VALUE]", NULL, NULL},
    [HF_FLAG_MAN] = {"man", 0, false, false, HF_FLAG_SWITCH, NULL, NULL, NULL},
    [HF_FLAG_COMPLETION] = {"completion", 0, false, false, HF_FLAG_CHOICE, "WHAT", "bash|profiles|plugins", NULL},
};

const struct hf_exit_text hf_exit_texts[] = {
    {0, "all done"},
    {1, "failed"},
    {2, "usage or configuration error"},
    {3, "partial: an optional sink, a part of a backup or an audit, or one of several profiles failed"},
    {4, "refused before anything changed, e.g. a target that is not empty"},
    {5, "verification found damage, or an audit something that is wrong"},
    {6, "not found: no such profile, backup, sink or plugin"},
    {7, "locked by another run"},
    {8, "unreachable: a server, a mount or a bucket does not answer"},
    {9, "an objective is breached"},
    {130, "interrupted"},
};
const size_t hf_exit_text_count = HF_COUNT(hf_exit_texts);

const struct hf_variable hf_variables[] = {
    {"HOLDFAST_CONFIG", "folder with the configuration, where --config is not given"},
    {"HOLDFAST_STATE_DIR", "folder for locks and other state, where holdfast.ini sets none"},
    {"TMPDIR", "folder for large scratch files, where holdfast.ini sets none; otherwise /var/tmp"},
    {"HOLDFAST_PLUGIN_PATH", "folders searched for plugins before all others, separated by colons"},
    {"TERM", "dumb: no progress line is drawn"},
};
const size_t hf_variable_count = HF_COUNT(hf_variables);

const struct hf_command hf_commands[HF_COMMAND_COUNT] = {
    [HF_COMMAND_CHECK] =
        {"check",
         "[PROFILE...]",
         HF_ARGUMENT_PROFILE,
         0,
         ANY_NUMBER,
         "look whether a backup could work, without making one",
         "Checks the configuration, asks the source whether it can read what it is to protect, and "
         "asks each sink whether "
         "it can store. Stores no backup. A profile is ready in part (exit code 3) when sinks fail that "
         "it can do without. Without a PROFILE, all profiles are checked.",
         {{HF_FLAG_ALL, "check every profile; the same as naming none"}},
         {{"holdfast check", "everything, e.g. after a change of configuration"}},
         {3, 4, 6, 8}},
    [HF_COMMAND_BACKUP] =
        {"backup",
         "[PROFILE...]",
         HF_ARGUMENT_PROFILE,
         0,
         ANY_NUMBER,
         "make a backup, verify it, and apply the retention rules",
         "Reads each profile's component out, stores it in the profile's sinks, reads it back to verify it, and then "
         "removes "
         "the backups that no retention rule keeps. A backup that fails or is interrupted leaves nothing behind.\n\n"
         "Several profiles are run one after the other; one that fails does not stop the next. The PROFILE may be left "
         "out when there is only one.",
         {{HF_FLAG_ALL, "back up every profile; those with configuration errors are reported, the others are run"},
          {HF_FLAG_DRY_RUN, "check, and say what would be stored and removed, but do neither"},
          {HF_FLAG_LEVEL, "verify at this level afterwards, instead of the profile's: none, quick, digest or content"}},
         {{"holdfast backup ledger", "back up one component"},
          {"holdfast backup --all --quiet", "everything, as a timer would"},
          {"holdfast backup --all --dry-run", "see what that would do"}},
         {3, 4, 5, 6, 7, 8}},
    [HF_COMMAND_LIST] =
        {"list",
         "[PROFILE...]",
         HF_ARGUMENT_PROFILE,
         0,
         ANY_NUMBER,
         "list the backups there are",
         "Reads the manifests in the profiles' sinks and lists the backups, oldest first: how old, how large as stored "
         "and "
         "decoded, of how many artifacts, how far verified (where that differs, in each of the sinks), and in which "
         "sinks. "
         "Without a PROFILE, all are listed.",
         {{HF_FLAG_ALL, "list every profile; the same as naming none"}},
         {{"holdfast list", "what is there"}, {"holdfast list ledger --json", "the same of one profile, for scripts"}},
         {3, 6, 8}},
    [HF_COMMAND_SHOW] = {"show",
                         "BACKUP",
                         HF_ARGUMENT_BACKUP,
                         1,
                         1,
                         "tell everything about one backup",
                         "Prints when and from what a backup was made, its artifacts with their places and digests, "
                         "the parts that can be "
                         "restored alone, the facts that the source recorded, and what was found wrong.",
                         {{HF_FLAG_AT, "the newest backup of the profile that is not later than TIME"}},
                         {{"holdfast show ledger", "the latest one"},
                          {"holdfast show ledger_20260201", "by the beginning of its id"},
                          {"holdfast show ledger --at '2026-02-01 12:00'", "as of then"}},
                         {6, 8}},
    [HF_COMMAND_VERIFY] =
        {"verify",
         "[BACKUP...]",
         HF_ARGUMENT_BACKUP,
         0,
         ANY_NUMBER,
         "prove that backups are whole",
         "Checks backups where they are stored, and records the outcome beside them. A PROFILE stands for its latest "
         "backup. The levels are: quick (the objects are there and as large as recorded), digest (every stored byte "
         "hashes "
         "right), content (everything is decoded, and the source checks what it sees against the recorded facts). "
         "Damage "
         "is exit code 5.",
         {{HF_FLAG_ALL, "every backup of the profiles named, or of all profiles"},
          {HF_FLAG_LEVEL, "how thoroughly: quick, digest or content; otherwise as the profile says"},
          {HF_FLAG_SINK, "only the copy in this sink; otherwise every copy"},
          {HF_FLAG_AT, "the newest backup of the profile that is not later than TIME"}},
         {{"holdfast verify ledger", "the latest backup of a profile"},
          {"holdfast verify --all --level digest", "every stored byte there is"}},
         {3, 5, 6, 7, 8}},
    [HF_COMMAND_RESTORE] =
        {"restore",
         "BACKUP | --artifact FILE",
         HF_ARGUMENT_BACKUP,
         0,
         1,
         "put a backup back",
         "Restores a backup to its original place or to another. A PROFILE stands for its latest backup. A target that "
         "is "
         "not empty is refused, unless --replace is given: then the new state is built beside it and swapped in when "
         "it is "
         "complete and checked. A restore that fails leaves the target as it was.\n\n"
         "With --artifact, a single artifact file is restored without its manifest, in case that is lost.",
         {{HF_FLAG_AT, "the newest backup of the profile that is not later than TIME"},
          {HF_FLAG_TO, "restore to this folder (or, of a source that has databases, under this name) instead of the "
                       "original place"},
          {HF_FLAG_ONLY, "restore only this part (a database, a ledger's day, a file or folder); may be repeated"},
          {HF_FLAG_REPLACE, "replace what is in the target"},
          {HF_FLAG_SINK,
           "read from this sink alone; otherwise from the best copy, and what is damaged there from the next"},
          {HF_FLAG_JOBS, "how many parts to restore at once"},
          {HF_FLAG_DRY_RUN, "check, and say what would be restored, but change nothing"},
          {HF_FLAG_ARTIFACT, "restore this file, whose manifest is lost; needs --to"},
          {HF_FLAG_SOURCE,
           "with --artifact: the source plugin that reads it; otherwise that of the profile in its name"}},
         {{"holdfast restore ledger", "the latest backup, to the original place"},
          {"holdfast restore ledger --at 2026-02-01 --to /tmp/then", "an older state, beside"},
          {"holdfast restore ledger --only 2026-01-30", "one day of a ledger"},
          {"holdfast restore sqlite --only signals --replace", "one database, over the present one"},
          {"holdfast restore --artifact /backups/ledger_20260201_120000.tar.gz --to /tmp/out", "without a manifest"}},
         {3, 4, 5, 6, 7, 8}},
    [HF_COMMAND_COPY] =
        {"copy",
         "[BACKUP...]",
         HF_ARGUMENT_BACKUP,
         0,
         ANY_NUMBER,
         "copy backups from one sink to another",
         "Brings a sink up to date with another, one that was away, say, or one that is new. What is read is held "
         "against "
         "the digests in the manifest, and what was written is read back. A backup becomes visible in the sink when "
         "all of "
         "it is there. What is there and whole is left alone, so a copying that was interrupted goes on with the next "
         "backup when it is started again. A PROFILE stands for its latest backup.\n\n"
         "While it copies, no other run of the profile can store or remove.",
         {{HF_FLAG_ALL,
           "every backup of the profiles named, or of all profiles, but those which the retention rules of "
           "the sink would remove at once"},
          {HF_FLAG_FROM, "the sink to read from; otherwise whichever has it whole"},
          {HF_FLAG_TO, "the sink to copy to"},
          {HF_FLAG_AT, "the newest backup of the profile that is not later than TIME"},
          {HF_FLAG_LEVEL, "how what was written is checked: quick, digest or content; otherwise digest"},
          {HF_FLAG_JOBS, "how many backups, or artifacts of one, to copy at once"},
          {HF_FLAG_REPLACE, "copy anew what is there and damaged"},
          {HF_FLAG_DRY_RUN, "say what would be copied, but copy nothing"}},
         {{"holdfast copy ledger --to offsite", "the latest backup"},
          {"holdfast copy --all --from local --to offsite", "everything that is missing there"}},
         {3, 4, 5, 6, 7, 8}},
    [HF_COMMAND_PRUNE] =
        {"prune",
         "[PROFILE...]",
         HF_ARGUMENT_PROFILE,
         0,
         ANY_NUMBER,
         "apply the retention rules now",
         "Removes the backups that no retention rule of their profile keeps, and says of each why it stays or goes. "
         "The "
         "newest verified backup always stays. Backups whose manifest cannot be read are reported and left alone. The "
         "PROFILE may be left out when there is only one.",
         {{HF_FLAG_ALL, "prune every profile"},
          {HF_FLAG_DRY_RUN, "say what would be removed, but remove nothing"},
          {HF_FLAG_SINK, "only in this sink"}},
         {{"holdfast prune --all --dry-run", "what would go, and why"}},
         {3, 4, 6, 7, 8}},
    [HF_COMMAND_AUDIT] =
        {"audit",
         "[PROFILE...]",
         HF_ARGUMENT_PROFILE,
         0,
         ANY_NUMBER,
         "hold the live component against what its newest backup recorded",
         "Asks the source to look at the component as it is now, and to compare it with the facts of its newest whole "
         "backup, or, when there is none, to look at it alone. Changes nothing. What is found is told as verify does; "
         "something that is wrong is exit code 5. When that backup's manifest is sealed and the profile names no key, "
         "nothing can be compared: the component is looked at alone, with a warning and exit code 3. Not every source "
         "has an audit: one that has none is refused with exit code 4, or, with --all, left out. The PROFILE may be left out when there is only one.",
         {{HF_FLAG_ALL, "audit every profile whose source can"},
          {HF_FLAG_WITH, "look at this, too; what there is, and what it costs, is told by 'holdfast plugin info' of "
                         "the source; may be repeated"}},
         {{"holdfast audit postgres", "is anything gone since the last backup?"},
          {"holdfast audit postgres --with amcheck", "and are its indexes sound?"}},
         {3, 4, 5, 6, 8}},
    [HF_COMMAND_CONFIG_SHOW] = {"config show",
                                "[PROFILE...]",
                                HF_ARGUMENT_PROFILE,
                                0,
                                ANY_NUMBER,
                                "print the values in effect, and where each comes from",
                                "Prints every option of the profiles with its value after ${env:NAME} and ${file:PATH} "
                                "were filled in, and the "
                                "file and line that set it. Secrets are masked. Without a PROFILE, all are printed.",
                                {{HF_FLAG_ALL, "show every profile; the same as naming none"}},
                                {{"holdfast config show ledger", ""}},
                                {6}},
    [HF_COMMAND_CONFIG_VALIDATE] = {"config validate",
                                    "[PROFILE...]",
                                    HF_ARGUMENT_PROFILE,
                                    0,
                                    ANY_NUMBER,
                                    "find all mistakes in the configuration",
                                    "Checks every section against what the core and the plugins understand, and prints "
                                    "all that is wrong with its file "
                                    "and line. Exit code 2 when anything is.",
                                    {{HF_FLAG_ALL, "validate every profile; the same as naming none"}},
                                    {{"holdfast config validate", ""},
                                     {"holdfast --config ./etc config validate", "before it is installed"}},
                                    {6}},
    [HF_COMMAND_KEY_NEW] =
        {"key new",
         "",
         HF_ARGUMENT_NONE,
         0,
         0,
         "make a key to encrypt backups with",
         "Makes a pair of keys for a stage that encrypts. The secret one is written to a file that only its owner can "
         "read, and that is never overwritten; the public one is printed, and goes into profiles. Whoever has the "
         "secret "
         "key reads the backups, and without it nobody does: keep a copy of it away from the machine.",
         {{HF_FLAG_OUT, "write the secret key to FILE; otherwise to PLUGIN.key in the configuration's folder"},
          {HF_FLAG_STAGE, "make it for this stage plugin, when several have keys"}},
         {{"holdfast key new --out /root/backup.key", "make a pair, and print the public key"}},
         {4, 6}},
    [HF_COMMAND_KEY_SHOW] =
        {"key show",
         "FILE",
         HF_ARGUMENT_NONE,
         1,
         1,
         "print the public side of a key",
         "Prints the public keys that go with the secret ones in a file: what profiles are told, one "
         "a line.",
         {{HF_FLAG_STAGE, "the file is of this stage plugin, when several have keys"}},
         {{"holdfast key show /root/backup.key", ""}},
         {6}},
    [HF_COMMAND_PLUGIN_LIST] = {"plugin list",
                                "",
                                HF_ARGUMENT_NONE,
                                0,
                                0,
                                "list the plugins there are",
                                "Lists every plugin found, with its kind, version and summary.",
                                {{0}},
                                {{"holdfast plugin list", ""}},
                                {0}},
    [HF_COMMAND_PLUGIN_INFO] =
        {"plugin info",
         "PLUGIN",
         HF_ARGUMENT_PLUGIN,
         1,
         1,
         "explain a plugin and its options",
         "Prints a plugin's description and its options: type, default, range and meaning. Plugins of different kinds "
         "that "
         "share a name are told apart by the kind: source/NAME, stage/NAME, sink/NAME, notifier/NAME.",
         {{0}},
         {{"holdfast plugin info sqlite", ""}, {"holdfast plugin info stage/gzip", ""}},
         {6}},
    [HF_COMMAND_HELP] = {"help",
                         "[COMMAND]",
                         HF_ARGUMENT_COMMAND,
                         0,
                         2,
                         "explain the program or one command",
                         "Prints what there is to know about a command, or about all of them.",
                         {{HF_FLAG_MAN, "print the manual page's source, made from the same tables"},
                          {HF_FLAG_COMPLETION,
                           "bash: print a completion script to source; profiles, plugins: print the names it offers"}},
                         {{"holdfast help restore", ""},
                          {"source <(holdfast help --completion bash)", "completion in this shell"}},
                         {6}},
};

const struct hf_command *hf_command_find(const char *name)
{
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++)
        if (strcmp(hf_commands[i].name, name) == 0)
            return &hf_commands[i];
    return NULL;
}

const struct hf_flag_use *hf_command_flag(const struct hf_command *command, int flag_id)
{
    for (size_t i = 0; i < HF_COMMAND_FLAGS_MAX && command->flags[i].help; i++)
        if (command->flags[i].id == flag_id)
            return &command->flags[i];
    return NULL;
}

"""What happened to a run, and what this machine lacks, in plain words: the command `doctor`.

`of_run` reads a run's folder, `of_machine` the machine; both give `finding.Finding`s. Nothing that lies in a
folder can make them fail: what cannot be read is itself a finding.
"""

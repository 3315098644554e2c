from perpsim.replay.cli import main

main()

package main

import "github.com/spf13/cobra"

// commands lists the commands.
func (p *program) commands() []*cobra.Command {
	return []*cobra.Command{
		p.trainCommand(), p.compareCommand(), p.reproduceCommand(), p.reportCommand(), p.evalCommand(), p.predictCommand(),
		p.explainCommand(), p.lossCommand(), p.weightsCommand(), p.gradcheckCommand(), p.opsCommand(),
		p.dataCommand(), p.benchCommand(), p.infoCommand(),
	}
}

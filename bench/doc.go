// Command bench times netc and the peers that this machine has, in turn, on the
// same networks, batches and random data with the same number of threads, or on
// the same GPU, and prints a table of ratios. It runs in the repository's root, or
// anywhere with programs that --build-only left:
//
//	go run ./bench --nets lenet,mlp --modes train,infer1
//
// What goes in: models/*.net with their run files, the peers' scripts in
// bench/peers. What comes out: the report as Markdown on stdout and in --out,
// every measurement in --json, progress on stderr. README.md says what is timed,
// how, and what is not equal between the sides.
package main

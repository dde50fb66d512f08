package asm

// FMA is the interpreter's fused multiply-add.
var FMA = fma

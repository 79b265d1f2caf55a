// RUN: round-stores{rounding=stochastic}
// CHECK: tensor<i32> {nn.name = "random key", nn.role = "setting"}
// CHECK: nn.xor
// CHECK: nn.random_bits
// CHECK: nn.iota
// CHECK: nn.random_bits
// CHECK: nn.round_stochastically
func.func @main(%x: tensor<2x4xf32> {nn.name = "x"}) -> tensor<2x4xf32> {
  %y = nn.stored_as %x {tensor = "x", format = "CF8_143", backward = "none", loc = "x"} : tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}

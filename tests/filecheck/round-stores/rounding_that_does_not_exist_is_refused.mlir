// RUN: round-stores{rounding=up}
func.func @main(%x: tensor<2x4xf32> {nn.name = "x"}) -> tensor<2x4xf32> {
  func.return %x : tensor<2x4xf32>
}
// error: round-stores: there is no rounding 'up'
// error: nearest, stochastic

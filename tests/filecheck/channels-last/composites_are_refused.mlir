// RUN: channels-last
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = nn.silu %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}
// error: pass 'channels-last' takes form 'nn-core', which the module does not have
// error: nn.silu

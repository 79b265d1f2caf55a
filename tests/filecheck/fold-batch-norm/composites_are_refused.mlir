// RUN: fold-batch-norm
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = nn.gelu %x {approximate = "none", loc = "node 'Gelu_1' (Gelu)"} : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}
// error: pass 'fold-batch-norm' takes form 'nn-core', which the module does not have
// error: nn.gelu at node 'Gelu_1' (Gelu)

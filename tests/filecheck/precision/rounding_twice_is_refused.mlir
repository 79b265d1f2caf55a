// RUN: precision
func.func @main(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  %y = nn.reverse %x {dims = [0], loc = "node 'Flip_1' (Flip)"} : tensor<4xbf16>
  func.return %y : tensor<4xbf16>
}
// error: the module holds bf16 tensors already
// error: node 'Flip_1' (Flip)

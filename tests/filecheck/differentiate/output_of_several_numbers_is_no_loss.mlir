// RUN: differentiate{loss=given}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = nn.negate %x : tensor<4xf32>
  func.return %y : tensor<4xf32>
}
// error: the output that is the loss must be one float number
// error: it is 4xf32

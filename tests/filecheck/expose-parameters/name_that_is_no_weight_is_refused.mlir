// RUN: expose-parameters{names="fc*"}
// RESOURCE: w 4 random 1
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %w = nn.constant {resource = "w", shape = [4], element_type = f32} : tensor<4xf32>
  %h = nn.multiply %x, %w : tensor<4xf32>
  func.return %h : tensor<4xf32>
}
// error: no weight is called 'fc*'
// error: there are w
